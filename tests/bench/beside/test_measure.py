"""Rounds keep what belongs together: a tool that fails twice has no samples, one that fails once is asked again."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.beside.attached import ToolError
from bench.beside.loads import Kind, Load
from bench.beside.measure import PIECES, Record, _guarded
from bench.beside.peers import Session
from bench.beside.tools import Target

KIND = Kind("getppid", "getppid", 12, None)


class Peer:
    """Counts what is done while it is on, and fails as often as it is told to."""

    name = "a tool"

    def __init__(self, failures=0):
        self.failures, self.done = failures, 0

    @contextmanager
    def on(self, target):
        if self.failures:
            self.failures -= 1
            raise ToolError("error: not now")
        session, before = Session(), self.done
        yield session
        session.counts, session.lost = {"getppid": self.done - before}, 3

    def load(self, *, watched):
        def run(operations):
            self.done += operations if watched else 0
            return 5.0 if watched else 4.0

        return Load(KIND, Target(Path("/none"), (1,)), run)


def turns(peer, times=1):
    record = Record()
    record.operations = {"getppid, a tool, inside": 21, "getppid, a tool, outside": 30}
    loads = peer.load(watched=True), peer.load(watched=False)
    for number in range(times):
        _guarded(record, {}, peer, *loads, number)
    return record


@pytest.mark.parametrize("failures", [0, 1], ids=["at-once", "at-the-second-time"])
def test_a_turn_gives_one_sample_of_each_place_and_what_was_seen(failures):
    record = turns(Peer(failures), times=2)
    assert record.samples == {"getppid, a tool, inside": [5.0, 5.0], "getppid, a tool, outside": [4.0, 4.0]}
    assert record.seen == {"getppid, a tool": [[21, 21, 3], [21, 21, 3]]}
    assert record.failed == {}


def test_a_tool_that_fails_twice_has_no_samples_and_is_not_asked_again():
    peer = Peer()
    record = turns(peer)
    peer.failures = 2
    loads = peer.load(watched=True), peer.load(watched=False)
    for number in (1, 2):
        _guarded(record, {}, peer, *loads, number)
    assert record.failed == {"getppid, a tool": "error: not now"}
    assert not record.samples and not record.seen and not record.cpu


def test_the_pilot_tells_how_many_operations_fill_a_run():
    peer, record = Peer(), Record()
    _guarded(record, {}, peer, peer.load(watched=True), peer.load(watched=False), 0, pilot=True)
    assert set(record.operations) == {"getppid, a tool, inside", "getppid, a tool, outside"}
    assert all(n >= KIND.pilot and n % PIECES == 0 for n in record.operations.values()) and not record.samples
