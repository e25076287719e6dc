"""A guest's gcc takes what is there under the name that is asked for, and compiles what is not."""

import subprocess
from pathlib import Path

GCC = Path(__file__).with_name("guest") / "gcc"


def stand_in(tmp_path, *words):
    """The script, with a folder and a compiler of the test's own."""
    text = GCC.read_text().replace("/usr/lib/driftline-vm", str(tmp_path / "ready"))
    script = tmp_path / "gcc"
    script.write_text(text.replace("/usr/bin/gcc", "echo compiles"))
    return subprocess.run(["sh", script, *words], capture_output=True, text=True, check=True).stdout


def test_what_is_ready_is_taken_and_what_is_not_is_compiled(tmp_path):
    (tmp_path / "ready").mkdir()
    (tmp_path / "ready/load").write_text("made before")
    assert stand_in(tmp_path, "-O1", "-o", tmp_path / "load", "load.c", "-lpthread") == ""
    assert (tmp_path / "load").read_text() == "made before"
    assert stand_in(tmp_path, "-o", "other", "x.c").split() == ["compiles", "-o", "other", "x.c"]
    assert stand_in(tmp_path, "-v").split() == ["compiles", "-v"]
