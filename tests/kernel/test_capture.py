"""Full captures: every call a row, in the order of its thread; what is lost is a number in the file."""

import os
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from sensor.capture import Recorder
from tests.kernel.lab import left_in_kernel
from wire import columns
from wire.syscalls import number

PARENT = number("getppid")


@contextmanager
def recording(lab, path, **sizes):
    settings = lab.settings(probes=("capture",), sizes=replace(lab.settings().sizes, **sizes))
    recorder = Recorder(settings, path)
    thread = threading.Thread(target=recorder.loop)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.stop()
        thread.join()
        recorder.close()


def rows_of(path):
    return np.concatenate(list(columns.blocks(path)))


def read_out(path):
    """The reader at its end, when it knows what the file says of slots."""
    reader = columns.Reader(path)
    for _ in reader:
        pass
    return reader


def test_every_call_is_a_row_once(lab, tmp_path):
    path = tmp_path / "all.capture"
    with recording(lab, path) as recorder:
        box = lab.scope.child("box")
        box.load("parents", "100000")
    counts = columns.counts(path)
    (slot,) = [s for s, name in read_out(path).names.items() if name.endswith("/box")]
    assert counts[slot, PARENT] == 200_000
    assert counts.sum() == recorder.file.rows
    assert read_out(path).lost == {}


def test_a_thread_that_changes_its_cpu_keeps_its_order(lab, tmp_path):
    path = tmp_path / "moving.capture"
    moving = """
import ctypes, os
call = ctypes.CDLL(None).syscall
cpus = sorted(os.sched_getaffinity(0))
call(110)
for i in range(3000):
    os.sched_setaffinity(0, {cpus[i % len(cpus)]})
    call(110), call(102)
call(110)
"""
    with recording(lab, path):
        lab.scope.child("box").python(moving)
    calls = rows_of(path)["nr"].tolist()
    begun = calls.index(PARENT)
    assert calls[begun : begun + 9002] == [110, *[203, 110, 102] * 3000, 110]


def test_times_are_the_clocks_and_threads_the_kernels(lab, tmp_path):
    path = tmp_path / "time.capture"
    with recording(lab, path):
        code = "import os, time; before = time.time_ns(); os.getppid(); print(os.getpid(), before, time.time_ns())"
        done = lab.scope.child("box").python(code)
    pid, before, after = map(int, done.stdout.split())
    row = next(r for r in rows_of(path) if r["nr"] == PARENT)
    assert row["tid"] == pid
    step = 10**9  # ns that the clock may have been set meanwhile
    assert before - step < int(row["time"]) + read_out(path).offset < after + step


def test_calls_outside_the_scope_are_not_there(lab, tmp_path):
    path = tmp_path / "outside.capture"
    with recording(lab, path):
        for _ in range(100):
            os.getppid()
    assert len(columns.counts(path)) == 0


def test_a_32_bit_call_is_told_apart(lab, tmp_path):
    path = tmp_path / "compat.capture"
    with recording(lab, path):
        lab.scope.child("box").load("compat", "40")
    numbers = rows_of(path)["nr"]
    assert np.count_nonzero(numbers == 0x8000 | 20) == 40
    assert columns.counts(path)[:, 512].sum() == 40


def test_the_file_says_whose_rows_they_are(lab, tmp_path):
    path = tmp_path / "named.capture"
    with recording(lab, path):
        for name in ("one", "two"):
            lab.scope.child(name).load("parents", "10")
    reader = read_out(path)
    assert sorted(i.path.rsplit("/")[-1] for i in reader.identities.values()) == ["one", "two"]
    assert {i.replica.cgroup for i in reader.identities.values()} == {
        lab.scope.child(name).id for name in ("one", "two")
    }


def test_a_full_ring_loses_rows_by_number_and_the_file_says_so(lab, tmp_path, fault):
    path = tmp_path / "lossy.capture"
    with recording(lab, path, capture_pages=4) as recorder:
        lab.scope.child("box").load("parents", "200000")
    reader = read_out(path)
    counts = columns.counts(path)
    lost = sum(reasons["rows"] for reasons in reader.lost.values())
    assert lost > 0
    assert lost == recorder.summary()["lost"]
    assert 400_000 <= counts.sum() + lost < 402_000  # and what starting a program takes
    fault(lost=f"{lost:,} of {counts.sum() + lost:,} rows", told="the file, by container and reason")


def test_nothing_is_left_behind(lab, tmp_path):
    with recording(lab, tmp_path / "gone.capture") as recorder:
        assert left_in_kernel(recorder.settings.name)
    assert left_in_kernel(recorder.settings.name) == []


def test_a_capture_that_cannot_begin_leaves_nothing(lab, tmp_path):
    with pytest.raises(Exception, match="nowhere"), recording(lab, tmp_path / "nowhere" / "x.capture"):
        pass
    assert left_in_kernel(lab.name) == []
