"""`trace record` on the real kernel, in a cgroup of its own: known execs in, the same execs out, nothing left."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.recording import TraceSink
from tests.factories import head, window
from tests.kernel.lab import remove
from tests.waiting import DEADLINE, until
from wire.trace import read, verify

DRIFTLINE = [sys.executable, "-m", "console.cli.main"]
RULE = 'identity:\n  rules:\n  - match: "/(?P<name>driftline-record-[0-9]+)"\n    workload: "unit:{name}"\n'


def cgroup_root():
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            return Path(line.split()[1])
    return None


able = os.geteuid() == 0 and cgroup_root() is not None and Path("/usr/lib/python3/dist-packages/bcc").is_dir()
unable = pytest.mark.skipif(not able, reason="needs root, cgroup v2 and bcc for the system's Python")


@pytest.fixture
def cgroup():
    folder = cgroup_root() / f"driftline-record-{os.getpid()}"
    folder.mkdir()
    yield folder
    remove(folder)


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
    until(lambda: pins.is_dir() and output.exists())
    spawn(cgroup, 23)
    process.send_signal(signal.SIGTERM)
    summary = json.loads(process.communicate(timeout=DEADLINE)[0])
    assert process.returncode == 0
    execs = [r for r in read(output) if getattr(r, "kind", "") == "exec" and "/true<" in (r.behaviour or "")]
    assert (len(execs), summary["head"], verify(output).complete) == (23, 1, True)
    assert not pins.exists()


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
    options, told = ["--scope", f"/{cgroup.name}", "--interval", "0.2"], {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with log.open("w") as out, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(told["NOTIFY_SOCKET"])
        systemd.settimeout(DEADLINE)
        process = subprocess.Popen([*command, *options], stderr=out, env=os.environ | told)
        try:
            assert systemd.recv(99) == b"READY=1"  # before that it is no sensor yet
        except BaseException:
            process.kill()
            raise
    try:
        yield command, state, log, process
    finally:
        process.terminate()
        process.wait(DEADLINE)
        subprocess.run([*command, "--unload"], check=True)
    assert not Path(f"/sys/fs/bpf/driftline-{name}").exists()


def epoch(state):
    try:
        return json.loads(state.read_text())["epoch"]
    except FileNotFoundError:  # the next ones are being loaded
        return None


@pytest.mark.kernel
@unable
def test_a_scope_that_was_made_anew_is_loaded_anew(cgroup, sensor):
    """systemd makes a new cgroup at each start of a unit; the sensor then watched the old one for good (#2)."""
    _, state, log, process = sensor
    before = epoch(state)
    cgroup.rmdir()
    until(lambda: "is gone; waiting" in log.read_text())
    assert process.poll() is None
    cgroup.mkdir()
    until(lambda: epoch(state) not in (None, before))
    assert "was removed and made anew" in log.read_text()


@pytest.mark.kernel
@unable
def test_nothing_is_unloaded_under_a_running_sensor(sensor):
    """It then sent empty windows for good, and its envelopes stayed converged (#2)."""
    command, state, _, _ = sensor
    done = subprocess.run([*command, "--unload"], capture_output=True, text=True)
    assert done.returncode == 3 and "runs already" in done.stderr and state.exists()


def loader_of(process):
    """The process that loads probes for another one, while it does; None before and after."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next((int(child) for child in children if b"sensor.probes.loader" in command_of(child)), None)


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


@pytest.mark.kernel
@unable
@pytest.mark.parametrize("many", [False, True])
def test_a_stop_while_probes_load_is_kept_until_they_have(cgroup, tmp_path, many):
    """A terminal's Ctrl-C goes to the loader too; a service manager's stop may come before the first record (#2)."""
    (tmp_path / "d.yaml").write_text(f"run_dir: {tmp_path}/c\nsensor: {{run_dir: {tmp_path}/run}}\n")
    name = f"test-stop-{os.getpid()}"
    command = [*DRIFTLINE, "--config", tmp_path / "d.yaml", "sensor", "--name", name, "--scope", f"/{cgroup.name}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    loader = until(lambda: loader_of(process))
    os.kill(loader, signal.SIGSTOP)  # however busy the machine is, the stop comes while it loads
    pins = Path(f"/sys/fs/bpf/driftline-{name}")
    assert not pins.exists()
    os.killpg(process.pid, signal.SIGINT) if many else process.terminate()
    os.kill(loader, signal.SIGCONT)
    said = process.communicate(timeout=DEADLINE)[1]
    assert (process.returncode, "Traceback" in said) == (0, False)
    assert pins.exists() is not many  # a stopped sensor's counters count on; a loader that was killed leaves nothing
    subprocess.run([*command[: command.index("--scope")], "--unload"], check=True)
    assert not pins.exists()


@pytest.mark.kernel
@unable
def test_a_sensor_whose_pins_were_removed_loads_anew(sensor):
    _, state, log, _ = sensor
    before = epoch(state)
    shutil.rmtree(f"/sys/fs/bpf/driftline-{state.stem}", ignore_errors=True)
    until(lambda: epoch(state) not in (None, before))
    assert "taken out of the kernel" in log.read_text()
