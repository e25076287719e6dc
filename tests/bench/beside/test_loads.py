"""Each load makes the call by which tools are judged exactly once an operation, and only where it is watched."""

import shutil
import signal

import pytest

from bench.beside.attached import attached
from bench.beside.loads import KINDS, standing
from bench.beside.tools import TOOLS
from bench.stage import Stage
from tests.kernel.lab import missing
from tests.observe.capability import possible

pytestmark = pytest.mark.kernel
STRACE = next(tool for tool in TOOLS if tool.program == "strace")
OPERATIONS = 40
BEGINNING = 5  # calls of a client that asks a server how it is set up


@pytest.fixture
def stage():
    possible(missing())
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    made = Stage()
    yield made
    made.clear()
    for number, handler in before.items():
        signal.signal(number, handler)
    assert not made.base.exists()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_a_load_makes_its_call_once_an_operation(stage, kind):
    if absent := [program for program in kind.needs if not shutil.which(program)]:
        pytest.skip(f"asked in `make bench`: {absent} not installed; make packages-bench")
    with (
        standing(kind, stage, watched=True) as watched,
        standing(kind, stage, watched=False) as neighbour,
        attached(STRACE, watched.target, stage, None) as run,
    ):
        assert neighbour.run(OPERATIONS) > 0
        assert watched.run(OPERATIONS) > 0
        counts, _ = run.end()
    assert OPERATIONS <= counts[kind.witness] <= OPERATIONS + BEGINNING
