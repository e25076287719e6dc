"""`driftline classifier` as a process of its own: answers, takes a signal, ends."""

import json
import signal
import subprocess
import sys
import time

import pytest

from console.cli.control import Control
from console.cli.failure import Failure

DEADLINE = 60.0  # seconds, for a machine that does other things too
COMMAND = [sys.executable, "-m", "console.cli.main"]


@pytest.fixture
def running(tmp_path):
    """A classifier that listens below `tmp_path`, and its control socket."""
    config = tmp_path / "driftline.yaml"
    settings = {"run_dir": str(tmp_path), "state_dir": str(tmp_path / "state"), "classifier": {"systemd": 0}}
    config.write_text(json.dumps(settings))  # JSON is YAML
    (tmp_path / "state").mkdir()
    process = subprocess.Popen([*COMMAND, "--config", config, "classifier"], stderr=subprocess.PIPE, text=True)
    control = Control(str(tmp_path / "control.sock"))
    yield process, control
    process.kill()
    process.communicate()


def health(control):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            return control.get("health")
        except Failure:
            time.sleep(0.05)
    raise AssertionError("no answer")


def test_it_answers_takes_a_reload_and_ends_when_asked(running):
    process, control = running
    assert health(control)["state"] == "ok"
    process.send_signal(signal.SIGHUP)
    assert health(control)["state"] == "ok"
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0


def test_a_place_that_cannot_hold_its_state_is_final(tmp_path):
    """Exit code 3 tells systemd and `driftline run` that starting again does not help."""
    (tmp_path / "state").write_text("a file where a folder must be")
    config = tmp_path / "driftline.yaml"
    config.write_text(json.dumps({"run_dir": str(tmp_path), "state_dir": str(tmp_path / "state")}))
    done = subprocess.run(
        [*COMMAND, "--config", config, "classifier"], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
