"""The capture keeps to its workloads and its bounds; the kernel's part is played, the processes are real."""

import os
import subprocess
import sys

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import LlmCall
from sensor.observe.plaintext import capture as module
from sensor.observe.plaintext.capture import Capture
from sensor.observe.plaintext.process import started
from sensor.probes.tls import LOSSES, RECEIVED, Watched
from tests.observe.plaintext.test_streams import ANSWER, ASK, chunk


class Kernel:
    """Plays bpf/tls.c: hands out chunks that a test puts in."""

    def __init__(self, room=True):
        self.waiting, self.room, self.blocked, self.seen, self.wake = [], room, False, set(), 3

    def watch(self, cgroup):
        self.seen.add(cgroup)
        return self.room

    def unwatch(self, cgroup):
        self.seen.discard(cgroup)

    def watched(self, cgroup):
        return Watched(0, 0, dict.fromkeys(LOSSES, 0))

    def chunks(self):
        waiting, self.waiting = self.waiting, []
        yield from waiting

    def fill(self):
        return 0.25

    def program(self, name):
        raise AssertionError("nothing to attach to")


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["/bin/sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def made(tmp_path, sleeper):
    (tmp_path / "cgroup.procs").write_text(f"{sleeper.pid}\n0\n")
    capture = Capture(Kernel(), Decoder(), lambda ns: ns / 1e9)
    assert capture.watch(7, tmp_path, 10**9)
    return capture


def test_members_are_found_and_searched_a_little_at_each_poll(made, sleeper):
    for step in range(50):
        made.poll(10**9 + step)
    (row,) = made.coverage()
    assert (row.pid, row.cgroup, row.rung) == (sleeper.pid, 7, "none")


def test_a_process_that_leaves_its_cgroup_is_let_go_after_its_last_bytes_were_read(made, tmp_path, sleeper):
    made._kernel.waiting = [chunk(ASK, pid=sleeper.pid), chunk(ANSWER, RECEIVED, pid=sleeper.pid)]
    (tmp_path / "cgroup.procs").write_text("")
    told = made.poll(2 * 10**9)
    assert [type(r) for r in told].count(LlmCall) == 1
    assert made.coverage() == []


def test_a_process_waits_for_its_end_while_a_writer_is_not_done(made, tmp_path):
    made._kernel.blocked = True
    (tmp_path / "cgroup.procs").write_text("")
    made.poll(2 * 10**9)
    assert len(made.coverage()) == 1


def test_a_number_that_is_used_again_is_another_process(made, sleeper):
    made._processes[sleeper.pid].started = "1"
    made.hint(sleeper.pid, 2 * 10**9)
    made.poll(2 * 10**9)
    made.poll(3 * 10**9)
    assert made._processes[sleeper.pid].started == started(sleeper.pid)


def test_many_hints_look_for_new_processes_once(made, tmp_path, monkeypatch):
    looks = []
    monkeypatch.setattr(module, "_members", lambda directory: looks.append(directory) or [])
    made.hints({1, 2, 3}, 2 * 10**9)
    assert looks == [tmp_path]


def test_its_numbers_are_plain(made):
    found = made.health()
    assert {name: found[name] for name in ("processes", "connections", "lost_bytes", "ring_fill")} == {
        "processes": 1.0,
        "connections": 0.0,
        "lost_bytes": 0.0,
        "ring_fill": 0.25,
    }


def test_a_cgroup_that_is_gone_is_survived(made, tmp_path):
    (tmp_path / "cgroup.procs").unlink()
    made.poll(2 * 10**9)
    assert made.coverage() == []
    assert made.forget(7, 3 * 10**9) == []
    assert made._kernel.seen == set()


def test_what_comes_late_of_a_forgotten_workload_is_not_read(made):
    made.forget(7, 2 * 10**9)
    made._kernel.waiting = [chunk(ASK), chunk(ANSWER, RECEIVED)]
    assert made.poll(3 * 10**9) == []
    assert made.close(4 * 10**9) == []


def test_processes_are_bounded(made, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PROCESSES", 1)
    (tmp_path / "cgroup.procs").write_text((tmp_path / "cgroup.procs").read_text() + f"{os.getpid()}\n")
    made.poll(2 * 10**9)
    assert (len(made.coverage()), made.refused) == (1, 1)


def test_a_full_table_refuses_a_workload(tmp_path):
    assert not Capture(Kernel(room=False), Decoder(), float).watch(7, tmp_path, 0)


def test_a_gone_process_has_no_beginning():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert started(done.pid) is None
