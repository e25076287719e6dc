"""`trace record` on the real kernel, in a cgroup of its own: known execs in, the same execs out, nothing left."""

import json
import os
import shutil
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


@pytest.fixture
def sensor(cgroup, tmp_path):
    """A running sensor on the cgroup; its log, and what begins its command."""
    (tmp_path / "d.yaml").write_text(f"run_dir: {tmp_path}/c\nsensor: {{run_dir: {tmp_path}/run}}\n")
    name = f"test-sensor-{os.getpid()}"
    command = [*DRIFTLINE, "--config", tmp_path / "d.yaml", "sensor", "--name", name]
    state, log = tmp_path / "run" / f"{name}.json", tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen([*command, "--scope", f"/{cgroup.name}", "--interval", "0.2"], stderr=out)
    try:
        until(state.exists, 60)
        yield command, state, log, process
    finally:
        process.terminate()
        process.wait(10)
        subprocess.run([*command, "--unload"], check=True)
    assert not Path(f"/sys/fs/bpf/driftline-{name}").exists()


def epoch(state):
    try:
        return json.loads(state.read_text())["epoch"]
    except (FileNotFoundError, ValueError):  # it is being written
        return None


@pytest.mark.kernel
@unable
def test_a_scope_that_was_made_anew_is_loaded_anew(cgroup, sensor):
    """systemd makes a new cgroup at each start of a unit; the sensor then watched the old one for good (#2)."""
    _, state, log, process = sensor
    before = epoch(state)
    cgroup.rmdir()
    until(lambda: "is gone; waiting" in log.read_text(), 20)
    assert process.poll() is None
    cgroup.mkdir()
    until(lambda: epoch(state) not in (None, before), 60)
    assert "was removed and made anew" in log.read_text()


@pytest.mark.kernel
@unable
def test_nothing_is_unloaded_under_a_running_sensor(sensor):
    """It then sent empty windows for good, and its envelopes stayed converged (#2)."""
    command, state, _, _ = sensor
    done = subprocess.run([*command, "--unload"], capture_output=True, text=True)
    assert done.returncode == 3 and "runs already" in done.stderr and state.exists()


@pytest.mark.kernel
@unable
@pytest.mark.parametrize("many", [False, True])
def test_a_stop_while_probes_load_is_kept_until_they_have(cgroup, tmp_path, many):
    """A terminal's Ctrl-C goes to the loader too; a service manager's stop may come before the first record (#2)."""
    (tmp_path / "d.yaml").write_text(f"run_dir: {tmp_path}/c\nsensor: {{run_dir: {tmp_path}/run}}\n")
    name = f"test-stop-{os.getpid()}"
    command = [*DRIFTLINE, "--config", tmp_path / "d.yaml", "sensor", "--name", name, "--scope", f"/{cgroup.name}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until((tmp_path / "run" / f"{name}.lock").exists, 60)
    time.sleep(1)  # the loader compiles for some seconds
    os.killpg(process.pid, signal.SIGINT) if many else process.terminate()
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, "Traceback" in said) == (0, False)
    pins = Path(f"/sys/fs/bpf/driftline-{name}")
    assert pins.exists() is not many  # a stopped sensor's counters count on; a loader that was killed leaves nothing
    subprocess.run([*command[: command.index("--scope")], "--unload"], check=True)
    assert not pins.exists()


@pytest.mark.kernel
@unable
def test_a_sensor_whose_pins_were_removed_loads_anew(sensor):
    _, state, log, _ = sensor
    before = epoch(state)
    shutil.rmtree(f"/sys/fs/bpf/driftline-{state.stem}", ignore_errors=True)
    until(lambda: epoch(state) not in (None, before), 60)
    assert "taken out of the kernel" in log.read_text()
