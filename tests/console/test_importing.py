"""`trace import`: what other tools wrote becomes one trace, with counts to check it by."""

import json
import os
import stat
import subprocess
import sys

import pytest

from console.cli import importing
from wire.records import Window
from wire.trace import read

STRACE = """\
100 1700000000.000000 execve("/bin/true", ["true"], 0x7ffd /* 0 vars */) = 0
100 1700000000.100000 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
100 1700000000.200000 close(3) = 0
100 1700000000.300000 exit_group(0) = ?
100 1700000000.400000 +++ exited with 0 +++
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "calls.txt").write_text("0 1 2 3\n0 1 2\n")
    (tmp_path / "true.strace").write_text(STRACE)
    (tmp_path / "page.html").write_text("<html>")
    return tmp_path


def calls(path):
    return sum(sum(r.syscalls.values()) for r in read(path) if isinstance(r, Window))


def test_formats_are_told_by_their_first_bytes_and_counted(files, driftline):
    result = driftline("trace", "import", files / "calls.txt", files / "true.strace", "-o", files / "o.trace", "--json")
    summary = json.loads(result.stdout)
    assert list(summary["formats"].values()) == ["sequence", "strace"]
    assert summary["counts"]["system calls"] == calls(files / "o.trace") == 7 + 4
    assert summary["records"] == len(list(read(files / "o.trace")))


def test_counts_are_a_table_for_people(files, driftline):
    shown = driftline("trace", "import", files / "calls.txt", "-o", files / "o.trace").stdout
    assert "system calls" in shown and "o.trace: " in shown


def test_a_named_format_and_owner_are_taken_as_they_are(files):
    importing.write([str(files / "calls.txt")], str(files / "o.trace"), "sequence", workload="unit:a")
    assert {r.workload for r in read(files / "o.trace") if hasattr(r, "workload")} == {"unit:a"}


def test_what_nobody_knows_is_refused_and_the_old_trace_stays(files):
    (files / "o.trace").write_text("old")
    command = [sys.executable, "-m", "console.cli.main", "trace", "import"]
    done = subprocess.run([*command, files / "page.html", "-o", files / "o.trace"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no importer knows this file" in done.stderr and "Hint: " in done.stderr
    assert ((files / "o.trace").read_text(), sorted(p.name for p in files.glob("*.part"))) == ("old", [])


def test_a_file_in_which_nothing_reads_as_its_format_is_refused(files, driftline):
    """A licence text became an empty trace with exit code 0 (#2)."""
    (files / "licence.txt").write_text("Permission is hereby granted\n")
    result = driftline("trace", "import", files / "licence.txt", "--format", "sequence", "-o", files / "o.trace")
    assert result.exit_code == 1 and "nothing in it reads as sequence" in result.stderr
    assert not (files / "o.trace").exists()


@pytest.mark.parametrize("command", [["import", "calls.txt"], ["record"]], ids=["import", "record"])
def test_a_device_is_not_replaced_by_a_trace(command, files, driftline, monkeypatch):
    """As root, -o /dev/null put a file in the device's place (#2)."""
    monkeypatch.chdir(files)
    os.mkfifo("pipe")
    result = driftline("trace", *command, "-o", "pipe")
    assert result.exit_code == 2 and "is a device or a pipe" in result.stderr
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
