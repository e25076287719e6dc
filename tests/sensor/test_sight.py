"""Programs that see their scope no more, or were taken out."""

from dataclasses import replace

import pytest

from sensor.probes.client import Loaded
from sensor.sight import Blind, Sight


@pytest.fixture
def loaded(tmp_path):
    """Of the cgroup /lab, with its pins."""
    for name in ("pins", "cgroups/lab"):
        (tmp_path / name).mkdir(parents=True)
    folder, base = tmp_path / "pins", tmp_path / "cgroups"
    return Loaded(folder, "e", {}, frozenset(), fresh=True, scope="/lab", base=base, offset=0)


def test_a_scope_that_stays_is_seen(loaded):
    sight = Sight(loaded, "test")
    sight.check()
    assert sight.scope == loaded.base / "lab"


def test_the_whole_machine_is_a_scope(loaded):
    assert Sight(replace(loaded, scope="/"), "test").scope == loaded.base


def test_a_scope_that_went_is_waited_for_and_told_once(loaded, caplog):
    sight = Sight(loaded, "test")
    sight.scope.rmdir()
    sight.check()
    sight.check()
    assert [r.getMessage() for r in caplog.records] == ["the cgroup /lab is gone; waiting for it to come back"]


def test_a_scope_that_was_made_anew_is_another(loaded, tmp_path):
    sight = Sight(loaded, "test")
    sight.scope.rename(tmp_path / "before")  # so that the new one cannot have its number
    sight.scope.mkdir()
    with pytest.raises(Blind, match="made anew"):
        sight.check()


def test_programs_that_were_taken_out_see_nothing(loaded):
    sight = Sight(loaded, "test")
    loaded.folder.rmdir()
    with pytest.raises(Blind, match="of 'test' were taken out"):
        sight.check()
