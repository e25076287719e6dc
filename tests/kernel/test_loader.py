"""Loading is whole or absent, alone, and leaves nothing behind."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from sensor.probes import client, pins
from sensor.probes.catalogue import BY_NAME, MAPS, PROBES, RAW
from tests.kernel.lab import Lab, left_in_kernel, until


def test_everything_is_pinned_and_unloading_leaves_nothing(lab):
    settings = lab.settings()
    loaded = client.ensure(settings)
    assert set(loaded.probes.values()) == {"on"}
    taken = [(p, loaded.hooks.get(p.name, RAW)) for p in PROBES if p.name in settings.probes]
    links = {h.link for p, variant in taken for h in p.hooks_of(variant)}
    assert set(os.listdir(loaded.folder)) >= links
    assert set(os.listdir(loaded.folder)) - links <= set(MAPS)
    assert client.unload(settings)
    assert not client.unload(settings)
    assert left_in_kernel(lab.name) == []


def test_pins_that_fit_are_found_again_and_others_are_replaced(lab):
    first = client.ensure(lab.settings())
    again = client.ensure(lab.settings())
    other = client.ensure(lab.settings(probes=("syscalls", "process")))
    assert (first.fresh, again.fresh, other.fresh) == (True, False, True)
    assert first.epoch == again.epoch != other.epoch
    hooks = (*BY_NAME["files"].hooks, *BY_NAME["files"].fexit)
    assert not {h.link for h in hooks} & set(os.listdir(other.folder))


@pytest.mark.parametrize("probe", ["syscalls", "process"])
def test_a_probe_that_needs_no_other_loads_alone(lab, probe):
    assert client.ensure(lab.settings(probes=(probe,))).probes == {probe: "on"}


HALF = """
import time
from sensor.probes import loader
loader._pin_maps = lambda *_: time.sleep(600)  # links are pinned by then, maps are not
loader.main()
"""


def test_a_loader_that_is_killed_half_way_leaves_nothing_after_the_next_call(lab):
    settings = lab.settings()
    plan, _ = client._plan(settings)
    loader = subprocess.Popen(
        [client.PYTHON, "-c", HALF],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=client.ROOT,
        env=client._environment(),
    )
    loader.stdin.write(json.dumps(plan).encode())
    loader.stdin.close()
    half = pins.unfinished(lab.name, loader.pid)
    until(lambda: half.is_dir() and os.listdir(half), "the first pin")
    loader.send_signal(signal.SIGKILL)
    loader.wait()
    assert left_in_kernel(lab.name)
    client.unload(settings)
    assert left_in_kernel(lab.name) == []


def test_a_second_sensor_of_the_same_name_is_refused(lab, tmp_path, fault):
    with lab.sensor():
        with pytest.raises(client.ProbeError, match="runs already"):
            client.Lock(lab.settings())
        with pytest.raises(client.ProbeError, match="runs already"):
            client.Lock(lab.settings(run_dir=tmp_path / "elsewhere"))
    client.Lock(lab.settings()).release()
    fault(lost="0: the first one goes on", told='"runs already; stop it, or give this one --name", exit code 3')


def test_two_sensors_of_two_names_count_the_same(lab):
    other = Lab(lab.folder, lab.scope.programs)
    try:
        with lab.sensor() as one, _also(other, lab) as two:
            box = one.cgroup()
            box.load("parents", "100")
            box.remove()
            first, second = one.all_of(box).calls(), _ended(two, box).calls()
    finally:
        other.clear()
    assert first == second


def _also(other, lab):
    return other.sensor(scope=lab.scope.path)


def _ended(sensor, box):
    said = sensor.of(box)
    until(lambda: any(i.ended for i in said.identities()), "its end")
    return said


@pytest.mark.parametrize("scope", ["/tmp", "/sys/fs/cgroup/unified/driftline-absent"])
def test_a_scope_that_is_no_cgroup_is_refused_with_a_remedy(lab, scope):
    with pytest.raises(client.ProbeError, match="make it first"):
        client.ensure(lab.settings(scope=Path(scope)))
