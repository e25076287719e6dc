"""What ran, listened and talked before the sensor began."""

import socket
import subprocess
from pathlib import Path

import pytest

from tests.kernel.lab import DEADLINE, PYTHON, until

BEFORE = """
import socket, subprocess, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
talk = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
talk.sendall(b"b" * 5000)
print(listener.getsockname()[1], flush=True)
sys.stdin.readline()
for _ in range(50):
    talk.sendall(b"a" * 1000)
    talk.recv(1)
c, _ = listener.accept()
c.recv(100)
c.sendall(b"z" * 40)
subprocess.run(["/bin/ls", "/"], stdout=subprocess.DEVNULL)
open("/etc/hostname").close()
"""


@pytest.fixture
def peer():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    yield s
    s.close()


def test_sockets_processes_and_listeners_from_before_are_known(lab, peer):
    box = lab.scope.child("old")
    old = box.start(PYTHON, "-S", "-E", "-c", BEFORE, str(peer.getsockname()[1]), stdin=-1, stdout=-1, text=True)
    talk, _ = peer.accept()
    port = int(old.stdout.readline())
    with lab.sensor() as sensor:
        until(lambda: sensor.of(box).identities(), "the identity of what ran before")
        old.stdin.write("go\n")
        old.stdin.flush()
        until(lambda: talk.recv(5000), "what was sent before")
        with socket.create_connection(("127.0.0.1", port)) as c:
            c.sendall(b"q" * 30)
            talk.sendall(b"y" * 50)
            left = 50_000
            while left:
                left -= len(talk.recv(left))
            assert c.recv(100)
        assert old.wait(DEADLINE) == 0
        said = sensor.all_of(box)
    old.stdin.close(), old.stdout.close()
    assert [i.startup_observed for i in said.identities()] == [False] * len(said.identities())
    name = f"egress:tcp:127.0.0.1:{peer.getsockname()[1]}"
    assert said.bytes(name) == (50_000, 50)
    assert said.bytes(f"ingress:tcp:{port}") == (40, 30)
    assert said.counts("exec:") == {"exec:/usr/bin/ls<python3.11": 1}
    assert [e.data["lineage"] for e in said.events("egress")] == ["python3.11"]
    assert [e.data["lineage"] for e in said.events("open") if e.data["path"] == "/etc/hostname"] == ["python3.11"]


def test_what_begins_afterwards_was_observed_from_its_start(lab):
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        box.run("/bin/true")
        said = sensor.all_of(box)
    assert {i.startup_observed for i in said.identities()} == {True}


def test_a_threaded_cgroup_does_not_end_the_start(lab):
    """Its list of processes cannot be read; the domain above it has them."""
    inner = lab.scope.child("domain").child("threads")
    (inner.path / "cgroup.type").write_text("threaded")
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        box.run("/bin/true")
        assert sensor.all_of(box).counts("exec:")


def test_a_process_with_a_name_that_is_no_text_is_adopted(lab, tmp_path):
    program = tmp_path.joinpath("x\udcff\x1b")
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    box = lab.scope.child("old")
    old = subprocess.Popen([box.programs / "enter", box.path, program, "60"])
    until(lambda: (box.path / "cgroup.procs").read_text(), "it to start")
    with lab.sensor() as sensor:
        until(lambda: sensor.of(box).windows(), "a window")
        old.kill()
        old.wait()
        assert sensor.all_of(box).identities()
