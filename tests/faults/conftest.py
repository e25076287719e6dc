"""The fixtures of the kernel's and the service's tests, and how much of a fault is made here."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel.conftest import lab, programs  # noqa: F401  fixtures
from tests.service.conftest import daemon  # noqa: F401  fixture

WHOLE = os.environ.get("DRIFTLINE_FAULTS") == "whole"  # as `make faults` asks; else what `make test` has time for


@pytest.fixture(scope="session")
def scaled():
    """The number of a whole run, or that of a short one."""
    return lambda whole, short: whole if WHOLE else short


@pytest.fixture(scope="session")
def loads(tmp_path_factory):
    """Known loads that only faults need, compiled."""
    into = tmp_path_factory.mktemp("loads")
    for source in (Path(__file__).parent / "loads").glob("*.c"):
        subprocess.run(["gcc", "-O1", "-o", into / source.stem, source], check=True)
    return into
