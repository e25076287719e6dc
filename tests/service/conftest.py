"""Daemons that end with their test."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.service.daemon import Daemon


@pytest.fixture(scope="module")
def passable():
    """Makes folders that every user may pass. Those of pytest are closed again whenever another pytest begins."""
    made = []

    def make():
        made.append(Path(tempfile.mkdtemp(prefix="driftline-test-")))
        made[-1].chmod(0o755)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture
def daemon(tmp_path):
    """Makes a classifier with settings; `start` starts it."""
    made = []

    def make(place=tmp_path, **told):
        made.append(Daemon(place, told))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
