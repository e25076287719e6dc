"""The daemon dies while a workload runs, and comes back."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sensor.observe.names import template
from tests.kernel.daemon import Sent, sent
from tests.kernel.lab import DEADLINE, PYTHON, Said, left_in_kernel, until
from wire.records import Event, Head, Identity, Window
from wire.syscalls import number

ROOT = Path(__file__).parents[2]

WORKLOAD = """
import os, select, socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
rounds = 0
while not select.select([sys.stdin], [], [], 0.005)[0]:
    rounds += 1
    for _ in range(50):
        os.getppid()
    open(sys.argv[1]).close()
    udp.sendto(bytes(100), ("127.0.0.1", 9))
print(rounds)
"""


class Daemon:
    """Starts and kills one sensor's process."""

    def __init__(self, lab, out):
        self.lab, self.out, self._running = lab, out, None
        self._sent = Sent(out)

    def start(self, keep="keep"):
        command = [sys.executable, "-m", "tests.kernel.daemon", self.lab.name, self.lab.scope.path, self.lab.folder]
        heads = len(self.records(Head))
        self._running = subprocess.Popen([*command, self.out, keep], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        until(lambda: self._alive() and len(self.records(Head)) > heads, "the head of its stream", seconds=2 * DEADLINE)

    def _alive(self):
        assert self._running.poll() is None, self._running.stderr.read()
        return True

    def kill(self):
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, how):
        if self._running is not None:
            self._running.send_signal(how)
            self._running.wait(DEADLINE)
            self._running.stderr.close()
            self._running = None

    def records(self, kind):
        return [r for r in self._sent.records if isinstance(r, kind)]

    def of(self, box):
        """What was said of a cgroup."""
        return Said(self._sent, box)


@pytest.fixture
def daemon(lab, tmp_path):
    made = Daemon(lab, tmp_path / "sent")
    yield made
    made.kill()


def links(lab):
    """Programs that are attached, by where."""
    shown = json.loads(
        subprocess.run(["bpftool", "-j", "-f", "link"], capture_output=True, check=True, text=True).stdout
    )
    return Counter(p.rpartition("/")[2] for link in shown for p in link.get("pinned", ()) if lab.name in p)


def windows_of(daemon, box):
    return [w for w in daemon.records(Window) if w.replica.cgroup == box.id]


def told(records, cgroup):
    windows = [r for r in records if isinstance(r, Window) and r.replica.cgroup == cgroup]
    calls = sum((Counter(dict(w.syscalls)) for w in windows), Counter())
    uses = sum((Counter({u.behaviour: u.count}) for w in windows for u in w.uses), Counter())
    out = sum(u.bytes_out for w in windows for u in w.uses if u.behaviour == "egress:udp:127.0.0.1:9")
    return windows, calls, uses, out


def test_three_kills_lose_nothing_and_tell_nothing_twice(lab, daemon, tmp_path):
    """Windows that were sent and delivered are not told again, and what no daemon was there to see is told by the next."""
    (tmp_path / "notes.txt").write_text("x")
    daemon.start()
    before = links(lab)
    box = lab.scope.child("w")
    work = box.start(PYTHON, "-S", "-E", "-c", WORKLOAD, str(tmp_path / "notes.txt"), stdin=-1, stdout=-1, text=True)
    for _ in range(3):
        known = len(windows_of(daemon, box))
        until(lambda known=known: len(windows_of(daemon, box)) > known + 1, "windows of this daemon")
        daemon.kill()
        daemon.start()
        assert links(lab) == before
    rounds = int(work.communicate("end\n")[0])
    box.remove()
    until(lambda: any(i.ended for i in daemon.records(Identity) if i.replica.cgroup == box.id), "the end")
    daemon.stop()
    windows, calls, uses, out = told(sent(daemon.out), box.id)
    assert calls[number("getppid")] == rounds * 50
    assert uses["open:data:" + template(str(tmp_path / "notes.txt"))] == rounds
    assert out == rounds * 100
    assert not any(w.loss for w in windows)
    assert len({h.epoch for h in daemon.records(Head)}) == 1
    ends = [(w.start, w.end) for w in windows]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ends)), "windows have no gap and no overlap"


def test_names_of_rows_are_known_after_a_kill(lab, daemon, tmp_path):
    """The kernel tells a file's path once; what it was is kept beside the pins."""
    (tmp_path / "notes.txt").write_text("x")
    daemon.start()
    box = lab.scope.child("w")
    code = "import sys\nfor line in sys.stdin: open(sys.argv[1]).close()"
    work = box.start(PYTHON, "-S", "-E", "-c", code, str(tmp_path / "notes.txt"), stdin=-1, text=True, bufsize=1)
    work.stdin.write("once\n")
    until(lambda: [e for e in daemon.records(Event) if "notes.txt" in str(e.data.get("path"))], "the open")
    daemon.kill()
    work.stdin.write("again\n" * 5)
    daemon.start()
    work.stdin.close()
    assert work.wait(DEADLINE) == 0
    box.remove()
    until(lambda: any(i.ended for i in daemon.records(Identity) if i.replica.cgroup == box.id), "the end")
    windows, _, uses, _ = told(sent(daemon.out), box.id)
    assert uses["open:data:" + template(str(tmp_path / "notes.txt"))] == 6
    [use] = {(u.data["path"], u.data["lineage"]) for w in windows for u in w.uses if u.behaviour.endswith("notes.txt")}
    assert use == (str(tmp_path / "notes.txt"), "python3.11")
    assert not any(w.loss for w in windows)


def test_a_stop_that_keeps_counts_on_and_one_that_does_not_leaves_nothing(lab, daemon):
    daemon.start()
    daemon.stop()
    assert left_in_kernel(lab.name) and links(lab)
    daemon.start(keep="unload")
    daemon.stop()
    assert left_in_kernel(lab.name) == []
    assert links(lab) == {}


@pytest.mark.parametrize("first_line", [f"#!{PYTHON} -SE\n", "#!/usr/bin/env -S python3 -SE\n"], ids=["direct", "env"])
def test_a_script_that_runs_still_is_known_after_a_restart(lab, tmp_path, first_line):
    (tmp_path / "notes.txt").write_text("x")
    box = lab.scope.child(f"still-{os.getpid()}")
    job = tmp_path / "job.py"
    job.write_text(f"{first_line}print(flush=True)\ninput()\nopen('{tmp_path}/notes.txt').close()\n")
    job.chmod(0o755)
    with lab.sensor(keep_pinned=True) as first:
        running = box.start("./job.py", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, stdin=-1, stdout=subprocess.PIPE)
        running.stdout.readline()
        until(lambda: [e for e in first.of(box).events("exec") if e.data.get("interpreter")], "its exec")
    with lab.sensor() as second:
        running.communicate(b"\n", timeout=DEADLINE)
        said = second.all_of(box)
    [event] = [e for e in said.events("open") if "notes.txt" in e.data["path"]]
    assert (event.data["lineage"], event.data["image"]) == ("job.py", str(job))
