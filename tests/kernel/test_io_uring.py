"""Requests to io_uring: every one counted under its name, whoever takes it from the ring, and nobody else's."""

import subprocess

import pytest

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
    assert [p.wait(60) for p in running] == [0] * 4
    assert asked(sensor.all_of(box)) == {"nop": 80_000}


def test_each_opcode_is_told_once_when_it_is_new_with_who_asked(sensor, box):
    ring(box, "plain", "nop:100", "socket", "close")
    ring(box, "plain", "nop:100")
    said = sensor.all_of(box)
    events = said.events("io_uring")
    assert sorted(e.behaviour for e in events) == ["io_uring:close", "io_uring:nop", "io_uring:socket"]
    assert {e.data["image"] for e in events} == {str(box.programs / "ring")}
    [first] = said.uses("io_uring:socket")
    assert first.evidence == (next(e.id for e in events if e.behaviour == "io_uring:socket"),)
    assert first.data["lineage"].startswith("ring")


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
