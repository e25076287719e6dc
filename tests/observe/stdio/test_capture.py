"""The capture with its kernel side played: what is read when, what is doubted, what is said of coverage."""

from pathlib import Path

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import McpCall
from sensor.observe.stdio import capture
from sensor.observe.stdio.capture import MOST, PATIENCE, SETTLE, Capture
from sensor.probes import stdio
from sensor.probes.stdio import Chunk, Watched
from tests.observe.stdio.pipes import CLIENT, SERVER, TO_CLIENT, TO_SERVER, kernel_lane, rpc
from tests.observe.stdio.test_streams import CALL, INITIALIZE, WELCOME


class Kernel:
    """Remembers what it is asked, and gives the chunks that it was given."""

    def __init__(self):
        self.wake, self.blocked, self.asked = 7, False, []
        self.waiting, self.lanes, self.lost, self.room = [], {}, {}, True
        self.at = {}

    def say(self, lane, data, cgroup=1):
        asks = lane == TO_SERVER
        who = (SERVER, CLIENT) if asks else (CLIENT, SERVER)
        self.waiting.append(Chunk(10**9, cgroup, lane, 5, 0, self.at.get(lane, 0), *who, stdio.DATA, 0, data))
        self.at[lane] = self.at.get(lane, 0) + len(data)

    def chunks(self, most=None):
        self.asked.append(most)
        out, self.waiting = self.waiting, []
        return iter(out)

    def watch(self, cgroup):
        return self.room

    def unwatch(self, cgroup):
        self.asked.append(f"unwatch {cgroup}")

    def watched(self, cgroup):
        return Watched(1, 2, 3, dict.fromkeys(stdio.LOSSES, 0) | self.lost)

    def lane(self, number):
        return self.lanes.get(number)

    def judge(self, *verdict):
        pass

    def unjudge(self, number):
        pass

    def fill(self):
        return 0.5

    def close(self):
        self.asked.append("close")


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(capture, "started", lambda pid: "1")
    kernel = Kernel()
    ear = Capture(kernel, Decoder(), lambda ns: ns / 1e9)
    assert ear.watch(1, Path("/unused"), 0)
    return ear, kernel


def test_a_poll_reads_so_much_and_an_end_reads_all(made):
    ear, kernel = made
    ear.poll(10**9)
    ear.forget(1, 10**9)
    assert kernel.asked == [MOST, None, "unwatch 1"]
    assert ear.losses() == {}


def test_chunks_of_a_workload_that_is_not_watched_go_unread(made):
    ear, kernel = made
    kernel.say(TO_SERVER, INITIALIZE, cgroup=2)
    ear.poll(10**9)
    assert ear.conversations() == []


def test_no_room_is_no_watch(made):
    ear, kernel = made
    kernel.room = False
    assert not ear.watch(2, Path("/unused"), 0)
    assert list(ear.losses()) == [1]


def test_what_was_lost_is_told_a_poll_after_it_was_doubted(made):
    ear, kernel = made
    kernel.say(TO_SERVER, INITIALIZE)
    ear.poll(10**9)
    kernel.lost, kernel.lanes = {"ring": 100}, {TO_SERVER: kernel_lane(len(INITIALIZE) + 100)}
    ear.poll(10**9 + 1)
    assert ear.health()["lost_bytes"] == 0
    kernel.blocked = True
    ear.poll(10**9 + 2)
    assert ear.health()["lost_bytes"] == 0, "it may still be in the ring"
    kernel.blocked = False
    ear.poll(10**9 + 3)
    assert ear.health()["lost_bytes"] == 100


def test_a_process_that_is_another_by_now_ends_its_conversation(made, monkeypatch):
    ear, kernel = made
    kernel.say(TO_SERVER, INITIALIZE + CALL)
    ear.poll(2 * SETTLE)
    monkeypatch.setattr(capture, "started", lambda pid: "2" if pid == SERVER else "1")
    told = ear.poll(3 * SETTLE) + ear.poll(6 * SETTLE)
    assert [c.method for c in told if isinstance(c, McpCall)] == ["initialize", "tools/call"]
    assert ear.conversations() == []


def test_a_half_conversation_is_a_lack_of_coverage_after_a_minute(made):
    ear, kernel = made
    kernel.say(TO_SERVER, INITIALIZE)
    ear.poll(2 * SETTLE)
    assert ear.coverage() == []
    ear.poll(2 * SETTLE + PATIENCE)
    (row,) = ear.coverage()
    assert (row.pid, row.cgroup, row.rung, row.parts) == (CLIENT, 1, "none", ())
    kernel.say(TO_CLIENT, WELCOME)
    ear.poll(3 * SETTLE + PATIENCE)
    assert ear.coverage() == []


def test_its_end_tells_what_was_under_way_and_gives_the_kernels_part_back(made):
    ear, kernel = made
    ear.hints({CLIENT, SERVER}, 0)
    ear.hello(CLIENT)
    kernel.say(TO_SERVER, rpc("tools/list", 1))
    assert [c.method for c in ear.close(10**9)] == ["tools/list"]
    ear.release()
    assert kernel.asked[-1] == "close"
    assert ear.wake == 7
