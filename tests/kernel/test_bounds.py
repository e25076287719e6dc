"""Every table is bounded, says when it is full, and what is exact stays exact."""

import subprocess
import threading
from pathlib import Path

from sensor.settings import Sizes
from tests.kernel.lab import DEADLINE, until
from wire.records import Gap, Replica
from wire.syscalls import number

GETPPID = number("getppid")


def sizes(**changes):
    values = {"slots": 64, "processes": 4096, "files": 1024, "flows": 512}
    return Sizes(**(values | changes))


def test_more_cgroups_over_time_than_slots_are_all_told(lab, fault):
    with lab.sensor(sizes=sizes(slots=5)) as sensor:
        seen, slots = [], set()
        for i in range(9):
            box = sensor.cgroup()
            box.load("parents", str(100 + i))
            slots.add(sensor.agent.kernel.seat_of(box.id))
            seen.append(sensor.all_of(box).calls()[GETPPID])
            until(lambda b=box: sensor.agent.kernel.seat_of(b.id) is None, "its slot to be free")
        generations = sensor.agent.kernel.slots["generation"][1:5].sum()
    assert seen == [2 * (100 + i) for i in range(9)]
    assert slots <= {1, 2, 3, 4}
    assert generations >= 9
    fault(lost="0 of 1,872 calls", told="nothing to tell")


def test_one_cgroup_more_than_slots_is_a_gap(lab, fault):
    with lab.sensor(sizes=sizes(slots=3)) as sensor:
        boxes = [sensor.cgroup() for _ in range(3)]
        for box in boxes:
            box.run("/bin/true")
        gaps = until(lambda: [r for r in sensor.sink.records if isinstance(r, Gap)], "a gap")
        assert "no free slot" in gaps[0].reason
        told = [box for box in boxes if sensor.of(box).windows()]
        assert len(told) == 2
        sensor.all_of(boxes[0])
        until(lambda: sensor.agent.kernel.seat_of(boxes[0].id) is None, "a slot to be free")
        boxes[2].run("/bin/true")
        until(lambda: sensor.of(boxes[2]).windows(), "its window, now that there is a slot")
    fault(
        lost="1 of 3 containers, until a slot is free",
        told='gap "no free slot for new cgroups", the number in the tick',
    )


def stalled(sensor):
    """Stops the loop of a sensor, so that its rings fill; the counters go on."""
    sensor.agent.stop()
    sensor._thread.join(DEADLINE)


def resumed(sensor):
    sensor.agent.stop.ended = False
    sensor._thread = threading.Thread(target=sensor._loop)
    sensor._thread.start()


TINY = {"fact_pages": 1, "path_pages": 1, "exec_pages": 1, "payload_pages": 1}


def test_a_storm_against_tiny_rings_is_partial_and_its_counts_are_exact(lab, tmp_path, fault):
    for i in range(100):
        (tmp_path / f"f{chr(97 + i % 26)}{chr(97 + i // 26)}").write_text("x")
    with lab.sensor(sizes=sizes(**TINY)) as sensor:
        box = sensor.cgroup()
        box.run("/bin/true")
        stalled(sensor)
        box.load("parents", "5000")
        box.run("/bin/sh", "-c", f"for i in $(seq 60); do /bin/true; done; cat {tmp_path}/* >/dev/null")
        resumed(sensor)
        said = sensor.all_of(box)
    loss = said.loss()
    assert loss["execs"] > 0 and loss["paths"] > 0 and loss["facts"] > 0
    assert any(w.partial for w in said.windows())
    assert said.calls()[GETPPID] >= 10_000
    assert said.calls()[GETPPID] <= 10_000 + 2 * 62  # a shell asks once as it begins
    assert loss["names of files"] > 0
    fault(
        lost=f"{', '.join(f'{n} {what}' for what, n in sorted(loss.items()))}; of 10,000 calls none",
        told="`loss` of the window, tick, metrics",
    )


def test_cgroups_whose_first_record_was_lost_are_told_all_the_same(lab, fault):
    """Nobody knew of them: no window, no loss, and the slot was taken for good."""
    with lab.sensor(sizes=sizes(**TINY)) as sensor:
        sensor.cgroup().run("/bin/true")
        stalled(sensor)
        boxes = [sensor.cgroup() for _ in range(20)]
        for box in boxes:
            box.load("parents", "50")
        resumed(sensor)
        said = [sensor.of(box) for box in boxes]
        until(lambda: all(s.calls()[GETPPID] == 100 for s in said), "windows of all")
        lossy = sum(s.loss()["paths"] > 0 for s in said)
        assert lossy > 5
        fault(lost=f"first record of {lossy} of 20; containers 0, calls 0", told="`loss` of the window")
        assert {i.path for s in said for i in s.identities()} == {
            f"/{lab.scope.path.name}/{b.path.name}" for b in boxes
        }
        for box in boxes:
            box.remove()
        until(lambda: all(sensor.agent.kernel.seat_of(b.id) is None for b in boxes), "slots to be free")


PEERS = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[1])): s.sendto(b"x", ("127.0.0.1", 20000 + i))
"""


def test_one_that_crowds_leaves_rows_to_its_neighbours(lab, tmp_path):
    """Within a window, in which nobody makes room: what a neighbour opens and whom it calls is seen to the last (#5)."""
    names = [tmp_path / f"f{i}" for i in range(300)]
    for name in names:
        name.write_text("x")
    with lab.sensor(sizes=sizes(files=256, flows=64)) as sensor:
        hostile, neighbour = sensor.cgroup(), sensor.cgroup()
        for box in (hostile, neighbour):
            box.run("/bin/true")
        until(lambda: sensor.of(neighbour).windows(), "the neighbour's first window")
        stalled(sensor)
        hostile.run("/bin/cat", *map(str, names), stdout=subprocess.DEVNULL, capture_output=False)
        hostile.python(PEERS, "100")
        neighbour.run("/bin/cat", *map(str, names[:10]), stdout=subprocess.DEVNULL, capture_output=False)
        neighbour.python(PEERS, "10")
        resumed(sensor)
        said = sensor.all_of(neighbour)
        crowding = sensor.all_of(hostile).loss()
    assert crowding["files"] > 0 and crowding["flows"] > 0
    assert said.loss()["files"] == said.loss()["flows"] == 0
    assert sum(said.counts("egress:udp:127.0.0.1:2").values()) == 10
    assert {n.name for n in names[:10]} <= {Path(e.data["path"]).name for e in said.events("open")}


def test_full_tables_of_files_and_flows_count_what_they_lose(lab, tmp_path, fault):
    names = [tmp_path / f"f{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(60)]
    for name in names:
        name.write_text("x")
    with lab.sensor(sizes=sizes(files=16, flows=8)) as sensor:
        box = sensor.cgroup()
        box.run("/bin/cat", *map(str, names), stdout=subprocess.DEVNULL, capture_output=False)
        box.python(PEERS, "30")
        said = sensor.all_of(box)
        kept = said.loss()
        other = sensor.cgroup()  # rows are free again with the slot
        until(lambda: sensor.agent.kernel.seat_of(box.id) is None, "its slot to be free")
        other.run("/bin/cat", str(names[0]), env={"LC_ALL": "C"})
        after = sensor.all_of(other)
    assert kept["files"] >= 60 - 16 and kept["flows"] > 0
    assert kept["flows"] + sum(said.counts("egress:udp:127.0.0.1:2").values()) == 30
    assert any(names[0].name in e.data["path"] for e in after.events("open"))
    assert isinstance(after.windows()[0].replica, Replica)
    fault(lost=f"{kept['files']} opens without a row, {kept['flows']} peers without a row", told="`loss` of the window")


def names(box):
    """Names of the programs that run in a cgroup."""
    pids = (box.path / "cgroup.procs").read_text().split()
    return [Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids]


def test_a_full_table_of_processes_is_said(lab, fault):
    with lab.sensor(sizes=sizes(processes=4)) as sensor:
        box = sensor.cgroup()
        shell = box.start("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do /bin/sleep 600 & done; wait")
        until(lambda: names(box).count("sleep") == 8, "all of them to run at once")
        said = sensor.all_of(box)
        shell.wait()
    assert said.loss()["processes"] > 0
    assert said.counts("exec:")["exec:/usr/bin/sleep<dash"] == 8
    fault(lost=f"{said.loss()['processes']} processes without a row; execs 0", told="`loss` of the window")
