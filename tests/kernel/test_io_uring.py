"""Requests to io_uring: every one counted under its name, whoever takes it from the ring, and nobody else's."""

import os
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.waiting import DEADLINE, until
from wire.records import Window


@pytest.fixture(scope="module", autouse=True)
def _rings(programs):
    done = subprocess.run([programs / "ring", "plain", "nop:1"], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(f"no ring here: {done.stderr.strip()}")


def ring(box, mode, *steps):
    return box.run(box.programs / "ring", mode, *steps)


def asked(said):
    return {b.removeprefix("io_uring:"): n for b, n in said.counts("io_uring:").items()}


def everybodys(sensor):
    """Requests that the sensor has told of anybody."""
    windows = [r for r in list(sensor.sink.records) if isinstance(r, Window)]
    return sum(u.count for w in windows for u in w.uses if u.behaviour.startswith("io_uring:"))


MODES = pytest.mark.parametrize("mode", ["plain", "sqpoll"])


@MODES
def test_every_request_is_counted_under_its_name(sensor, box, tmp_path, mode):
    (tmp_path / "a").write_text("x")
    opens = [f"open:{tmp_path}/a", "close"] * 7 + [f"open2:{tmp_path}/a", "close"] * 3
    ring(box, mode, "nop:1000", *opens, "socket", "nop:23")
    said = sensor.all_of(box)
    assert asked(said) == {"nop": 1023, "openat": 7, "openat2": 3, "close": 10, "socket": 1}
    assert not said.loss()


def test_requests_of_several_processes_on_all_cpus_are_counted_to_the_last(sensor, box):
    running = [box.start(box.programs / "ring", mode, "nop:20000") for mode in ("plain", "sqpoll") * 2]
    assert [p.wait(DEADLINE) for p in running] == [0] * 4
    assert asked(sensor.all_of(box)) == {"nop": 80_000}


def test_each_opcode_is_told_once_when_it_is_new_with_who_asked(sensor, box):
    ring(box, "plain", "nop:100", "socket", "close")
    ring(box, "plain", "nop:100")
    said = sensor.all_of(box)
    events = said.events("io_uring")
    assert sorted(e.behaviour for e in events) == ["io_uring:close", "io_uring:nop", "io_uring:socket"]
    assert {e.data["image"] for e in events} == {str(box.programs / "ring")}
    uses = said.uses("io_uring:socket")  # two, where a window ended between the count and its record
    assert [i for u in uses for i in u.evidence] == [e.id for e in events if e.behaviour == "io_uring:socket"]
    assert any(str(u.data.get("lineage")).startswith("ring") for u in uses)


def test_two_cgroups_are_counted_apart_and_one_without_a_ring_shows_none(sensor, box):
    other, quiet = sensor.cgroup(), sensor.cgroup()
    ring(box, "plain", "nop:10")
    ring(other, "sqpoll", "nop:30")
    quiet.run("/bin/true")
    assert asked(sensor.all_of(other)) == {"nop": 30}
    assert asked(sensor.all_of(box)) == {"nop": 10}
    assert asked(sensor.all_of(quiet)) == {}


def test_nothing_outside_the_scope_is_counted(sensor, box, programs):
    before = everybodys(sensor)
    subprocess.run([programs / "ring", "plain", "nop:500"], check=True)
    subprocess.run([programs / "ring", "sqpoll", "nop:500"], check=True)
    ring(box, "plain", "nop:5")
    sensor.all_of(box)
    assert everybodys(sensor) - before == 5


def opened(said, folder):
    """File → how it was opened, and how often."""
    names = {e.behaviour: e.data["path"] for e in said.events("open") if e.data["path"].startswith(str(folder))}
    return {(p.removeprefix(f"{folder}/"), b.partition(":")[0]): said.counts()[b] for b, p in names.items()}


@MODES
def test_files_that_a_ring_opens_are_told_by_the_kernels_path_with_their_intent(sensor, box, tmp_path, mode):
    for name in ("a.txt", "b.txt", "worker.txt", "slot.txt", "chosen.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to("a.txt")
    folder = f"{tmp_path}/../{tmp_path.name}"
    steps = [
        *[f"open:{folder}/link", "close"] * 3,
        f"open2:{folder}/b.txt",
        f"write:{folder}/c.txt",
        f"worker:{folder}/worker.txt",
        *[f"slot:{folder}/slot.txt"] * 2,
        f"chosen:{folder}/chosen.txt",
    ]
    ring(box, mode, *steps)
    said = sensor.all_of(box)
    wanted = {"a.txt": 3, "b.txt": 1, "worker.txt": 1, "slot.txt": 2, "chosen.txt": 1}
    assert opened(said, tmp_path) == {(n, "open"): count for n, count in wanted.items()} | {("c.txt", "write"): 1}
    assert "unnamed_open" not in asked(said) and not said.loss()
    assert {e.data["image"] for e in said.events("open") if "a.txt" in e.data["path"]} == {str(box.programs / "ring")}


@MODES
def test_files_that_nobody_can_name_are_counted_and_none_is_guessed(sensor, box, tmp_path, mode):
    (tmp_path / "a.txt").write_text("x")
    ring(box, mode, f"silent:{tmp_path}/a.txt", f"silent:{tmp_path}/a.txt")
    said = sensor.all_of(box)
    assert opened(said, tmp_path) == {}
    assert asked(said) == {"openat": 2, "nop": 2, "unnamed_open": 2}


def test_an_open_that_failed_is_a_request_and_no_file(sensor, box, tmp_path):
    box.run(box.programs / "ring", "plain", f"open:{tmp_path}/absent.txt", expect=1)
    said = sensor.all_of(box)
    assert asked(said) == {"openat": 1} and opened(said, tmp_path) == {}


def test_a_file_that_is_gone_before_its_completion_is_a_request_all_the_same(sensor, box, tmp_path):
    """What has its number by then is told in its place: a file that this process did open, and never one that it did not."""
    for name in ("secret.txt", "motd.txt"):
        (tmp_path / name).write_text("x")
    ring(box, "plain", f"batch:{tmp_path}/secret.txt:{tmp_path}/motd.txt")
    said = sensor.all_of(box)
    assert asked(said) == {"openat": 2, "close": 1}
    assert set(opened(said, tmp_path)) <= {("secret.txt", "open"), ("motd.txt", "open")}


@pytest.mark.parametrize("probes", [("syscalls", "process", "io_uring"), ("process", "io_uring")], ids=str)
def test_without_the_probe_of_files_requests_are_counted_and_nothing_else(lab, tmp_path, probes):
    (tmp_path / "a.txt").write_text("x")
    with lab.sensor(probes=probes) as alone:
        assert alone.agent.loaded.probes == dict.fromkeys(probes, "on")
        box = alone.cgroup()
        ring(box, "plain", f"open:{tmp_path}/a.txt", "nop:3", f"silent:{tmp_path}/a.txt")
        said = alone.all_of(box)
    assert asked(said) == {"openat": 2, "nop": 4}


@contextmanager
def listening():
    """A listener outside of the scope, its port, and how much it has read."""
    got = []
    with socket.create_server(("127.0.0.1", 0)) as s:

        def serve():
            with suppress(OSError):
                while True:
                    c, _ = s.accept()
                    with c:
                        while data := c.recv(1 << 16):
                            got.append(len(data))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield s.getsockname()[1], got


@MODES
def test_what_a_ring_connects_and_sends_is_a_conversation_to_the_byte(sensor, box, mode):
    with listening() as (port, got):
        ring(box, mode, "socket", f"connect:{port}", "send:4711", "send:289", "close")
        until(lambda: sum(got) == 5000, "all to arrive")
        said = sensor.all_of(box)
    name = f"egress:tcp:127.0.0.1:{port}"
    assert said.begun("egress:") == {name: 1} and said.bytes(name) == (5000, 0)
    [event] = said.events("egress")
    assert event.data["image"] == str(box.programs / "ring")
    assert asked(said) == {"socket": 1, "connect": 1, "send": 2, "close": 1}


def test_requests_made_while_no_daemon_runs_are_told_by_the_next_and_none_twice(lab):
    box = lab.scope.child(f"ring-{os.getpid()}")
    with lab.sensor(keep_pinned=True) as first:
        ring(box, "plain", "nop:100", "socket")
        until(lambda: asked(first.of(box)) == {"nop": 100, "socket": 1}, "what the first daemon saw")
    ring(box, "sqpoll", "nop:30")
    with lab.sensor() as second:
        ring(box, "plain", "nop:7", "socket", "close")
        later = asked(second.all_of(box))
    assert later == {"nop": 37, "socket": 1, "close": 1}
