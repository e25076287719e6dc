"""More processes than anybody can look at, gone before anybody looks, with numbers that are used again."""

import shutil
import subprocess
from collections import Counter

import numpy as np
import pytest

from sensor.settings import Sizes
from tests.kernel.lab import DEADLINE, until
from tests.kernel.test_bounds import resumed, stalled
from wire.records import Event, Gap, Identity, Window
from wire.syscalls import number

pytestmark = pytest.mark.kernel


def test_a_pid_that_is_used_again_is_another_process(lab, loads, fault):
    with lab.sensor() as sensor:
        one, two = sensor.cgroup(), sensor.cgroup()
        pids = []
        for _ in range(20):
            command = [loads / "twice", one.path, "/usr/bin/true", two.path, "/usr/bin/env"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
            if done.returncode != 97:  # 97: somebody else of this machine has the number by now
                pids.append(int(done.stdout.splitlines()[-1]))
        assert pids
        said, other = sensor.all_of(one), sensor.all_of(two)
    assert said.counts("exec:") == {"exec:/usr/bin/true<-": 20}
    assert other.counts("exec:") == {"exec:/usr/bin/env<-": len(pids)}
    assert [e.data["pid"] for e in other.events("exec")] == pids
    assert set(pids) <= {e.data["pid"] for e in said.events("exec")}
    assert {e.data["lineage"] for e in other.events("exec")} == {"env"}
    assert not (said.loss() or other.loss())
    fault(
        done=f"{len(pids)} pairs of processes with one pid (clone3 with set_tid), in two containers",
        lost=f"0 of {20 + len(pids)} execs, none taken for the other",
        told="nothing to tell",
    )


def test_processes_that_are_gone_before_anybody_looks_have_their_names(lab, tmp_path, fault):
    """The sensor stands still meanwhile; then neither the process nor its program is there any more."""
    with lab.sensor(digest=True) as sensor:
        box = sensor.cgroup()
        box.run("/bin/true")
        until(lambda: sensor.of(box).events("exec"), "the first exec")
        stalled(sensor)
        for n in range(60):
            program = tmp_path / f"tool-{chr(97 + n // 26)}{chr(97 + n % 26)}"
            shutil.copy("/bin/true", program)
            box.run(program, f"argument-{n}")
            program.unlink()
        resumed(sensor)
        said = sensor.all_of(box)
    gone = [e for e in said.events("exec") if "/tool-" in e.data["path"]]
    assert len(gone) == 60 and sum(said.counts("exec:").values()) == 61
    assert all(e.data["argv"].endswith(f"argument-{n}") and e.data["lineage"] for n, e in enumerate(gone))
    assert not said.loss()
    hashed = Counter("sha256" in e.data for e in said.events("digest") if "/tool-" in str(e.data.get("path")))
    assert not hashed[True]
    fault(
        done="the loop stands still while 60 programs run and are deleted",
        lost="0 of 60 execs, names and arguments; 60 digests of files that are gone",
        told="the reason in place of the digest",
    )


def test_a_storm_of_forks_is_counted_to_the_last(lab, loads, scaled, fault):
    many = scaled(200_000, 5000)
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        rate = many / float(box.run(loads / "forks", str(many), text=True).stdout)
        said = sensor.all_of(box)
    calls, loss = said.calls(), said.loss()
    assert calls[number("vfork")] == many
    assert calls[number("exit_group")] == many + 2
    assert any(w.partial for w in said.windows()) == bool(loss)
    assert set(loss) <= {"facts"}
    fault(
        done=f"{many:,} processes, {rate:,.0f} a second",
        lost=f"calls 0 of {sum(calls.values()):,}; {loss['facts']:,} of {2 * many:,} records of forks and exits",
        told="`loss` of the window" if loss else "nothing to tell; events beyond 64 a window are counted only",
    )


def test_many_short_containers_pass_through_few_slots(lab, scaled, fault):
    many, slots = scaled(3000, 60), scaled(256, 32)
    sizes = Sizes(slots=slots, processes=4096, files=4096, flows=512)
    with lab.sensor(sizes=sizes) as sensor:
        ids = set()
        for n in range(many):
            until(lambda: np.count_nonzero(sensor.agent.kernel.slots["cgroup"]) < slots - 8, "a free slot")
            box = sensor.cgroup(f"short-{n}")
            box.run(box.programs / "tool")
            until(lambda b=box: _removed(b), f"{box.path} to go")
            ids.add(box.id)
        until(lambda: len(_ended(sensor)) >= many, "the end of all", seconds=2 * DEADLINE)
        ended, execs = _ended(sensor), _execs(sensor)
        unseated = int(sensor.agent.kernel.slots["lost"][0].sum())
    assert (ended, execs, unseated) == (ids, many, 0)
    assert not [r for r in sensor.sink.records if isinstance(r, Gap)]
    fault(
        done=f"{many:,} real containers one after the other through {slots} slots of a sensor, each as soon as one is free",
        lost=f"0 of {many:,} containers, 0 of their execs",
        told="nothing to tell",
    )


def _removed(box):
    try:
        box.path.rmdir()
    except OSError:  # its process is still on its way out
        return False
    return True


def _ended(sensor):
    return {r.replica.cgroup for r in list(sensor.sink.records) if isinstance(r, Identity) and r.ended}


def _execs(sensor):
    windows = [r for r in list(sensor.sink.records) if isinstance(r, Window)]
    return sum(u.count for w in windows for u in w.uses if u.behaviour.startswith("exec:"))


def test_events_of_a_storm_are_bounded(lab, loads):
    """What is beyond the budget of a window is counted and not sent."""
    with lab.sensor(interval=3600.0) as sensor:
        box = sensor.cgroup()
        box.run(loads / "forks", "2000")
        until(lambda: sensor.of(box).events("fork"), "its first fork")
        sensor.agent.stop()
        sensor._thread.join(DEADLINE)
    assert 0 < len([r for r in sensor.sink.records if isinstance(r, Event) and r.kind == "fork"]) <= 64
