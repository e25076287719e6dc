"""`kill -9` at random moments: nothing acknowledged is lost, nothing is counted twice, envelopes are those of a quiet run."""

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from classifier.drift.finding import finding_to_dict
from sensor.observe.names import template
from tests.classifier.story import play
from tests.faults.node import OWNER
from tests.kernel.lab import DEADLINE, PYTHON, until
from tests.service.test_kill import interrupted, parts, story
from wire.records import Gap, Window
from wire.syscalls import number

ROOT = Path(__file__).parents[2]


def as_json(value):
    return json.loads(json.dumps(value))


def test_kills_of_the_classifier_change_nothing(daemon, tmp_path, scaled, fault):
    """A recorded stream, and no sensor: what a sensor would do about a classifier that dies is in the next test."""
    kills = scaled(140, 4)
    d = daemon(retention={"snapshot_frames": 150}, trace_path=tmp_path / "run.trace")
    records = list(story())
    interrupted(d, records, random.Random(kills), kills=kills)
    quiet = play(records)
    assert d.get("/findings")[1] == as_json([finding_to_dict(f) for f in quiet.findings()])
    owners = [w.workload for w in quiet.workloads()]
    for owner in owners:
        assert d.get(f"/envelopes/{owner}")[1] == as_json(quiet.envelope(owner).to_dict())
    assert d.stop() == 0
    assert list(parts(tmp_path / "run.trace")) == records
    fault(
        done=f"a recorded stream of {len(records):,} records, killed {kills} times with frames on their way; no sensor",
        lost=f"0 of {len(records):,} records, none twice; envelopes, findings and trace equal those of a run without kills",
        told="nothing to tell",
    )


WORKLOAD = """
import os, select, socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
rounds = 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    rounds += 1
    for _ in range(50):
        os.getppid()
    open(sys.argv[1]).close()
    udp.sendto(bytes(10), ("127.0.0.1", 9))
    if rounds % 5 == 0:
        os.waitpid(os.posix_spawn(sys.argv[2], [sys.argv[2]], {}), 0)
print(rounds)
"""


def notes(folder):
    """The behaviour that each round shows once."""
    return "open:data:" + template(str(folder / "notes.txt"))


class Node:
    """Sensor and classifier of one node."""

    def __init__(self, lab, classifier):
        self.lab, self.classifier, self._sensor = lab, classifier, None

    def start(self):
        if self.classifier.process is None or self.classifier.process.poll() is not None:
            self.classifier.start()
        if self._sensor is None:
            command = [sys.executable, "-m", "tests.faults.node", self.lab.name, self.lab.scope.path, self.lab.folder]
            with open(self.lab.folder / "sensor.log", "ab") as log:
                self._sensor = subprocess.Popen([*command, self.classifier.socket], cwd=ROOT, stderr=log)

    def kill(self, who):
        if who in ("sensor", "both"):
            self._end(signal.SIGKILL)
        if who in ("classifier", "both"):
            self.classifier.kill()

    def _end(self, how):
        if self._sensor is not None:
            self._sensor.send_signal(how)
            self._sensor.wait(DEADLINE)
            self._sensor = None

    def stop(self):
        self._end(signal.SIGTERM)

    def records(self):
        return self.classifier.get("/health")[1]["counters"]

    def counts(self):
        status, envelope = self.classifier.get(f"/envelopes/{OWNER}")
        return {b["behaviour"]: b["count"] for b in envelope["behaviours"]} if status == 200 else {}

    def windows(self):
        return self.records().get("records_window", 0)


@pytest.fixture
def node(lab, daemon, tmp_path):
    (tmp_path / "c").mkdir()
    made = Node(lab, daemon(place=tmp_path / "c", trace_path=tmp_path / "run.trace"))
    yield made
    made.stop()


def observed(node, box, tmp_path, program, kills, chance):
    """Runs the workload through these kills; how many rounds it did."""
    (tmp_path / "notes.txt").write_text("x")
    node.start()
    until(lambda: node.records().get("records_tick"), "a sensor that looks", seconds=2 * DEADLINE)
    work = box.start(
        PYTHON, "-S", "-E", "-c", WORKLOAD, tmp_path / "notes.txt", program, stdin=-1, stdout=-1, text=True
    )
    until(lambda: node.windows() > 1, "windows")
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 0.6))  # no condition: a random moment is the point
        node.kill(chance.choice(("sensor", "classifier", "both")))
        time.sleep(chance.uniform(0.0, 0.3))
        node.start()
        known = node.windows()
        until(lambda known=known: node.windows() > known, "a window after a kill")
    rounds = int(work.communicate("end\n")[0])
    box.remove()
    until(lambda: node.counts().get(notes(tmp_path), 0) >= rounds, "all of its rounds")
    return rounds


@pytest.mark.kernel
def test_kills_of_sensor_classifier_and_both_lose_and_repeat_nothing(node, lab, tmp_path, scaled, fault):
    kills = scaled(60, 2)
    box, chance = lab.scope.child("work"), random.Random(kills)
    rounds = observed(node, box, tmp_path, lab.scope.programs / "tool", kills, chance)
    envelope = node.classifier.get(f"/envelopes/{OWNER}")[1]
    node.stop()
    assert node.classifier.stop() == 0
    records = list(parts(tmp_path / "run.trace"))
    windows = [r for r in records if isinstance(r, Window) and r.replica.cgroup == box.id]
    assert all(a.end == b.start for a, b in itertools.pairwise(windows)), "no gap, no overlap"
    counts, bytes_out, calls = sums(windows)
    assert calls[number("getppid")] == 50 * rounds
    assert (counts[notes(tmp_path)], bytes_out) == (rounds, 10 * rounds)
    gaps = [r.reason for r in records if isinstance(r, Gap)]
    loss = sum((Counter(dict(w.loss)) for w in windows), Counter())  # a ring fills where a start takes long
    assert all(g.startswith("lost before the classifier: event ") for g in gaps), gaps
    assert set(loss) <= {"execs", "facts"}, loss
    assert not (gaps or loss) or envelope["state"] != "converged"
    replayed = play(records).envelope(OWNER)
    assert {b["behaviour"]: b["count"] for b in as_json(replayed.to_dict())["behaviours"]} == counts
    assert {b["behaviour"]: b["count"] for b in envelope["behaviours"]} == counts
    assert set(counts) == set(quiet(lab, tmp_path))
    events = sum(int(g.rpartition(" ")[2]) for g in gaps)
    made = rounds // 5
    execs = sum(n for name, n in counts.items() if "/tool<" in name)
    assert made - execs == loss["execs"], counts
    fault(
        done=f"a sensor with its probes, a classifier and a counted load of {rounds:,} rounds, killed {kills} times; then a run "
        "without kills",
        lost=f"0 of {50 * rounds:,} calls, 0 of {rounds:,} opens, 0 of {10 * rounds:,} bytes, none twice; "
        f"{made - execs} of {made:,} execs, {events} events in spools; the envelope has the behaviours of the quiet run",
        told=f"{len(gaps)} gaps with the number of events; {loss['execs']} execs in `loss` of the window"
        if gaps or loss
        else "nothing to tell",
    )


def sums(windows):
    """Uses by behaviour, bytes sent, calls by number."""
    uses = [u for w in windows for u in w.uses]
    counts = sum((Counter({u.behaviour: u.count}) for u in uses), Counter())
    return dict(counts), sum(u.bytes_out for u in uses), sum((Counter(dict(w.syscalls)) for w in windows), Counter())


def quiet(lab, tmp_path):
    """What the same load shows to a sensor that nobody kills."""
    with lab.sensor() as sensor:
        box = sensor.cgroup("work")
        load = [WORKLOAD, tmp_path / "notes.txt", lab.scope.programs / "tool"]
        work = box.start(PYTHON, "-S", "-E", "-c", *load, stdin=-1, stdout=-1, text=True)
        until(
            lambda: any("/tool<" in name for name in sensor.of(box).counts("exec:")), "its fifth round, which does all"
        )
        work.communicate("end\n")
        return sums(sensor.all_of(box).windows())[0]
