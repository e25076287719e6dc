"""Names of pins: no sensor reaches another's, or out of bpffs."""

import os

import pytest

from sensor.probes import pins


@pytest.fixture
def bpffs(tmp_path, monkeypatch):
    monkeypatch.setattr(pins, "BPFFS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "A", "-x", "a_b", "x" * 42, "a\n", "../x"])
def test_a_name_that_could_mean_another_place_is_refused(name):
    with pytest.raises(pins.PinError):
        pins.folder(name)


def test_the_default_has_the_short_name(bpffs):
    assert pins.folder("default") == bpffs / "driftline"
    assert pins.folder("lab-1") == bpffs / "driftline-lab-1"


def test_removing_takes_unfinished_sets_of_dead_loaders_and_nobody_elses(bpffs):
    dead = 4_194_305  # above the largest pid that Linux gives
    keep = [
        pins.folder("lab-2"),
        pins.folder("default"),
        pins.unfinished("lab-2", dead),
        pins.unfinished("lab", os.getpid()),
    ]
    gone = [pins.folder("lab"), pins.unfinished("lab", dead)]
    for path in keep + gone:
        path.mkdir()
        (path / "link_x").touch()
    assert pins.remove("lab")
    assert [p.exists() for p in keep + gone] == [True] * 4 + [False] * 2
    assert not pins.remove("lab")
