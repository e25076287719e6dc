"""`trace record` on the real kernel, in a cgroup of its own: known execs in, the same execs out, nothing left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.cli.recording import TraceSink
from tests.factories import head, window
from wire.trace import read, verify

DRIFTLINE = [sys.executable, "-m", "console.cli.main"]
RULE = 'identity:\n  rules:\n  - match: "/(?P<name>driftline-record-[0-9]+)"\n    workload: "unit:{name}"\n'


def cgroup_root():
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            return Path(line.split()[1])
    return None


able = os.geteuid() == 0 and cgroup_root() is not None and Path("/usr/lib/python3/dist-packages/bcc").is_dir()
REQUIRED = bool(os.environ.get("DRIFTLINE_REQUIRE_KERNEL"))
unable = pytest.mark.skipif(not able and not REQUIRED, reason="needs root, BPF and bcc")


@pytest.fixture
def cgroup():
    folder = cgroup_root() / f"driftline-record-{os.getpid()}"
    folder.mkdir()
    yield folder
    (folder / "cgroup.kill").write_text("1")
    for _ in range(100):
        try:
            folder.rmdir()
            return
        except OSError:  # its processes still end
            time.sleep(0.05)


def spawn(cgroup, times):
    """`/bin/true` so many times, each started inside the cgroup."""
    code = f"""
import os, subprocess
open("{cgroup}/cgroup.procs", "w").write(str(os.getpid()))
for _ in range({times}): subprocess.run(["/bin/true"])
"""
    subprocess.run(["/usr/bin/python3", "-c", code], check=True)


@pytest.mark.kernel
@unable
def test_a_recording_holds_every_exec_and_leaves_nothing_in_the_kernel(cgroup, tmp_path):
    config, output = tmp_path / "d.yaml", tmp_path / "r.trace"
    config.write_text(RULE + f"sensor: {{run_dir: {tmp_path}/run}}\n")
    command = [*DRIFTLINE, "--config", config, "trace", "record", "-o", output, "--scope", f"/{cgroup.name}"]
    name = f"test-record-{os.getpid()}"
    process = subprocess.Popen([*command, "--interval", "0.5", "--name", name, "--json"], stdout=subprocess.PIPE)
    pins = Path(f"/sys/fs/bpf/driftline-{name}")
    until(lambda: pins.is_dir() and output.exists(), 60)
    spawn(cgroup, 23)
    time.sleep(1)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    summary = json.loads(process.communicate(timeout=10)[0])
    assert (process.returncode, time.monotonic() - begun < 5) == (0, True)
    execs = [r for r in read(output) if getattr(r, "kind", "") == "exec" and "/true<" in (r.behaviour or "")]
    assert (len(execs), summary["head"], verify(output).complete) == (23, 1, True)
    assert not pins.exists()


def until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "too late"
        time.sleep(0.05)


def test_a_killed_recording_keeps_what_was_flushed(tmp_path, monkeypatch):
    monkeypatch.setattr("console.cli.recording.FLUSH", -1.0)
    sink = TraceSink(tmp_path / "r.trace")
    sink.send(head())
    sink.send(window())
    sink.pump()
    assert len(list(read(tmp_path / "r.trace"))) == 2
    sink.close()
    assert verify(tmp_path / "r.trace").complete
