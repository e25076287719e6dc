"""Daemons that end with their test."""

import pytest

from tests.service.daemon import Daemon


@pytest.fixture
def daemon(tmp_path):
    """Makes a classifier with settings; `start` starts it."""
    made = []

    def make(**told):
        made.append(Daemon(tmp_path, told))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
