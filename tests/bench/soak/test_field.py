"""The loads count what the kernel accounts to them, or the soak would measure its own mistakes."""

import time

import pytest

from bench.soak.field import Field
from bench.soak.kernel import payload
from sensor.probes import client
from tests.kernel.lab import missing
from tests.observe.capability import possible

pytestmark = pytest.mark.kernel
ROUNDS = 250  # of all loads together; some seconds


@pytest.fixture
def loads(tmp_path):
    possible(missing())
    made = Field(tmp_path)
    yield made
    made.close()
    assert not made.base.exists()


def test_what_loads_say_is_what_the_kernel_accounts(loads):
    loads.start()
    end = time.monotonic() + 60
    while loads.own()["rounds"] < ROUNDS and time.monotonic() < end:
        loads.step()
        time.sleep(0.1)
    loads.rest()
    kernel, own = loads.kernel(), loads.own()
    programs = kernel["started"] + own["execs"]
    assert kernel["reads"] - loads.of_exec.reads * programs == own["reads"] > 0
    assert kernel["writes"] == own["writes"] > 0
    assert kernel["network"]["active"] == kernel["network"]["passive"] == own["connects"] == own["accepts"] > 0
    assert payload(kernel["network"]) == own["sent_up"] + own["sent_down"] == own["info_up"] + own["info_down"]
    assert own["forks"] == own["reaped"] > own["execs"] == own["reaped_execs"] > 0
    loads.go_on()
    loads.end()
    assert (loads.totals.ended, loads.totals.trouble) == (loads.totals.started, [])
    assert client.cgroup_root() in loads.base.parents
