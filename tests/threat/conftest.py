"""A sensor over a cgroup of this test, a container within, and the fixtures of the kernel's and the service's tests."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from tests.kernel.conftest import lab, programs  # noqa: F401  fixtures
from tests.kernel.lab import DEADLINE, PYTHON
from tests.service.conftest import daemon  # noqa: F401  fixture

HERE = Path(__file__).parent


@pytest.fixture
def contained(tmp_path):
    """Runs a program as uid 0 of a container within a cgroup; what it printed."""
    count = iter(range(1000))

    def run(box, *program, timeout=2 * DEADLINE):
        root = tmp_path / f"root-{next(count)}"
        root.mkdir()
        command = [box.programs / "enter", box.path, PYTHON, "-S", "-E", HERE / "container.py", root, *program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return done.stdout

    if platform.machine() != "x86_64":
        pytest.skip("its system calls are written by their numbers on x86-64")
    return run


def script(name: str, *arguments: object) -> list[str]:
    """A file of this folder as a program: the container does not see the file, so its text goes along."""
    return [PYTHON, "-S", "-E", "-c", (HERE / name).read_text(), *map(str, arguments)]
