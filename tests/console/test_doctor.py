"""`doctor`: every probe with its state, for people and for programs, and an exit code that a script can use."""

import json
import subprocess
import sys

from console.cli.doctor import print_row
from sensor.doctor import examine
from sensor.probes import tracepoints
from sensor.settings import SensorSettings
from tests.console.nobody import NOBODY

DRIFTLINE = [sys.executable, "-m", "console.cli.main"]


def test_the_exit_code_is_the_verdict_and_json_holds_every_row():
    done = subprocess.run([*DRIFTLINE, "doctor", "--json"], capture_output=True, text=True, timeout=60)
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"]
    assert {"probe syscalls", "kprobes", "LSM programs"} <= {row["probe"] for row in report["rows"]}


def test_without_root_the_configured_mode_cannot_be_honoured():
    done = subprocess.run([*DRIFTLINE, "doctor"], capture_output=True, text=True, **NOBODY)
    assert done.returncode == 3
    assert "no        root" in done.stdout and "missing: root" in done.stdout


def test_a_row_says_what_is_missed_and_what_stands_in_folded_to_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    words = {"needs": "CONFIG_X", "sees": "things " * 12, "misses": "a\x1bb", "stand_in": "another", "hook": ""}
    print_row({"probe": "x", "state": "no", **words})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "no        x" and lines[1] == "          needs     CONFIG_X"
    assert max(map(len, lines)) <= 60
    assert lines[-1] == "          instead   another" and "a\\x1bb" in lines[-2]


def test_a_kernel_without_the_tracepoint_of_rings_is_told_and_good_enough(monkeypatch):
    why = "this kernel has no tracepoint io_uring_submit_req"
    known = examine(SensorSettings()).exit_code
    monkeypatch.setattr(tracepoints, "found", lambda probe: (probe, why if probe.name == "io_uring" else ""))
    report = examine(SensorSettings())
    [row] = [r for r in report.rows if r.probe == "probe io_uring"]
    assert row.state == "no" and row.needs.startswith(f"{why}; CAP_BPF")
    assert report.exit_code == known and "io_uring" not in report.verdict
