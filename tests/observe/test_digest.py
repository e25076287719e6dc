from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from sensor.observe.digest import Digester, DigestLimits


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def digester_of():
    made = []

    def build(proc="/proc", **limits) -> Digester:
        made.append(Digester(DigestLimits(**limits), str(proc)))
        return made[-1]

    yield build
    for digester in made:
        digester.close()


@pytest.fixture
def proc(tmp_path):
    """/proc as files: process 7, whose root is tmp_path/box and whose executable is /bin/app in it."""
    (tmp_path / "box/bin").mkdir(parents=True)
    (tmp_path / "box/bin/app").write_bytes(b"app")
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/root").symlink_to(tmp_path / "box")
    (tmp_path / "proc/7/exe").symlink_to("/bin/app")
    return tmp_path / "proc"


def polled(digester, count=1):
    """Its thread gives way to everybody else, so a busy machine takes long."""
    until, found = time.monotonic() + 60, []
    while len(found) < count and time.monotonic() < until:
        found += digester.poll()
        time.sleep(0.005)
    return found


def asked(digester, path, pid=7, **more):
    assert digester.ask("k", pid, path, **more)
    return polled(digester)[0][1]


@contextmanager
def process(*command):
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        try:
            yield running.pid
        finally:
            running.stdin.close()


def test_executable_of_a_process_is_hashed(digester_of):
    with open(os.path.realpath(sys.executable), "rb") as file:
        expected = sha(file.read())
    assert asked(digester_of(), os.readlink("/proc/self/exe"), os.getpid()) == expected


def test_memfd_is_hashed_through_its_process(digester_of):
    with open("/bin/cat", "rb") as file:
        program = file.read()
    fd = os.memfd_create("code", 0)
    os.write(fd, program)
    with subprocess.Popen(
        [f"/proc/self/fd/{fd}"], executable=f"/proc/self/fd/{fd}", pass_fds=[fd], stdin=-1
    ) as running:
        os.close(fd)
        found = asked(digester_of(), "memfd:code", running.pid)
        gone = asked(digester_of(), "memfd:other", running.pid)
        running.stdin.close()
    assert (found, gone) == (sha(program), "gone")


def test_path_is_looked_up_in_the_root_of_the_process(digester_of, proc):
    (proc / "7/exe").unlink()
    (proc / "7/exe").symlink_to("/bin/other")
    assert asked(digester_of(proc), "/bin/app") == sha(b"app")


@pytest.mark.parametrize("target", ["/secret", "../../secret", "../../../../../../secret"])
def test_link_never_leads_out_of_the_root(digester_of, proc, target):
    (proc.parent / "secret").write_bytes(b"host")
    (proc.parent / "box/secret").write_bytes(b"box")
    (proc.parent / "box/bin/link").symlink_to(target)
    assert asked(digester_of(proc), "/bin/link") == sha(b"box")


def test_file_is_read_once_until_it_changes(digester_of, proc, monkeypatch):
    reads = []
    whole = Digester._hashed
    monkeypatch.setattr(Digester, "_hashed", lambda self, fd: reads.append(fd) or whole(self, fd))
    (proc / "7/exe").unlink()
    (proc / "7/exe").symlink_to("/other")
    digester = digester_of(proc)
    assert asked(digester, "/bin/app") == asked(digester, "/bin/app") == sha(b"app")
    assert len(reads) == 1
    (proc.parent / "box/bin/app").write_bytes(b"new")
    assert asked(digester, "/bin/app") == sha(b"new")


@pytest.fixture
def by_path(proc):
    (proc / "7/exe").unlink()
    (proc / "7/exe").symlink_to("/other")
    return proc


def changing(monkeypatch, file, times):
    """The file grows whenever it has been read, so many times."""
    whole, left = Digester._hashed, list(range(times))

    def read(self, fd):
        found = whole(self, fd)
        if left:
            file.write_bytes(b"x" * (100 + left.pop()))
        return found

    monkeypatch.setattr(Digester, "_hashed", read)


def test_file_that_changes_while_read_is_tried_once_more(digester_of, by_path, monkeypatch):
    changing(monkeypatch, by_path.parent / "box/bin/app", 1)
    assert asked(digester_of(by_path), "/bin/app") == sha(b"x" * 100)


def test_file_that_keeps_changing_is_unstable(digester_of, by_path, monkeypatch):
    changing(monkeypatch, by_path.parent / "box/bin/app", 9)
    digester = digester_of(by_path)
    assert asked(digester, "/bin/app") == "unstable"
    assert digester.dropped == {"unstable": 1}


def test_what_is_no_file_to_hash_gets_its_reason(digester_of, by_path):
    box = by_path.parent / "box"
    os.mkfifo(box / "fifo")
    (box / "loop").symlink_to("loop")
    (box / "large").write_bytes(b"x" * 101)
    digester = digester_of(by_path, size=100)
    reasons = {
        path: asked(digester, path) for path in ("/fifo", "/bin", "/absent", "/bin/app/x", "/loop", "/large", "app")
    }
    assert reasons == {
        "/fifo": "no regular file",
        "/bin": "no regular file",
        "/absent": "gone",
        "/bin/app/x": "gone",
        "/loop": "unreadable",
        "/large": "too large",
        "app": "gone",
    }
    assert asked(digester, "/bin/app", pid=8) == "gone"
    assert sum(digester.dropped.values()) == 8


def test_another_process_of_the_cgroup_shows_the_file(digester_of, by_path, tmp_path):
    (tmp_path / "cgroup.procs").write_text("7\n")
    assert asked(digester_of(by_path), "/bin/app", pid=6, cgroup=tmp_path) == sha(b"app")


def test_process_that_left_the_cgroup_is_not_looked_at(digester_of, by_path, tmp_path):
    (tmp_path / "cgroup.procs").write_text("9\n")
    assert asked(digester_of(by_path), "/bin/app", pid=7, cgroup=tmp_path) == "gone"
    assert asked(digester_of(by_path), "/bin/app", pid=7, cgroup=tmp_path / "gone") == "gone"


def test_queue_is_bounded_and_counts_what_it_refused(digester_of, by_path):
    digester = digester_of(by_path, queue=3)
    taken = [digester.ask(number, 7, "/bin/app") for number in range(10)]
    assert taken == [True] * 3 + [False] * 7
    assert digester.dropped["queue full"] == 7
    assert [key for key, _ in polled(digester, 3)] == [0, 1, 2]
    assert digester.ask(4, 7, "/bin/app")


def test_thread_is_nice_and_memory_of_digests_is_bounded(digester_of, by_path):
    digester = digester_of(by_path, remembered=2)
    for number in range(5):
        (by_path.parent / f"box/{number}").write_bytes(bytes([number]))
        assert asked(digester, f"/{number}") == sha(bytes([number]))
    assert len(digester._known) == 2
    assert os.getpriority(os.PRIO_PROCESS, digester._errands.thread.native_id) == 19
