"""What was there before the probes, read from /proc and inet_diag."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sensor.observe import existing

ROOT = Path(__file__).parents[2]


def looked(*directories):
    """A process of its own, because it moves to the network namespaces it looks at."""
    command = [sys.executable, "-m", "sensor.observe.existing", *map(str, directories)]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    return tmp_path


def test_processes_have_their_executable_and_parent(directory):
    [row] = looked(directory)[str(directory)]["processes"]
    assert (row["pid"], row["ppid"], row["exe"]) == (os.getpid(), os.getppid(), os.path.realpath(sys.executable))


def test_listeners_and_conversations_have_their_owner(directory):
    with socket.socket() as listener, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        datagrams.bind(("::1", 0))
        datagrams.connect(("::1", 9))
        with socket.create_connection(listener.getsockname()) as talk:
            try:
                rows = looked(directory)[str(directory)]["sockets"]
            except subprocess.CalledProcessError as e:
                pytest.skip(f"no inet_diag here: {e.stderr[-200:]}")
            if not rows:
                pytest.skip("inet_diag shows nothing here")
            port = listener.getsockname()[1]
            assert {r["pid"] for r in rows} == {os.getpid()}
            assert [r["listens"] for r in rows if r["local"][1] == port and not r["peer"][1]] == [True]
            assert [r["peer"][1] for r in rows if r["local"][1] == talk.getsockname()[1]] == [port]
            assert [(r["peer"], r["protocol"]) for r in rows if r["local"][1] == datagrams.getsockname()[1]] == [
                (["::1", 9], socket.IPPROTO_UDP)
            ]


def test_a_process_that_is_gone_and_a_cgroup_that_cannot_be_read_are_left_out(tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/cgroup.procs").write_text("4194305\n")
    (tmp_path / "threaded/cgroup.procs").mkdir(parents=True)
    nothing = {"processes": [], "sockets": []}
    assert list(looked(*sorted(tmp_path.iterdir())).values()) == [nothing, nothing]
    assert existing.process(4_194_305) is None
    assert existing.snapshot(tmp_path / "absent") == nothing
