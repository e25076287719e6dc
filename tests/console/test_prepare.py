"""Folders of `driftline run`: made where they are missing, never taken from somebody."""

import os

import pytest

from console.cli.failure import Failure
from console.cli.run import prepare

ME = (os.getuid(), os.getgid())
OTHER = (ME[0] + 4711, ME[1] + 4711)
GIVEN = OTHER if ME[0] == 0 else ME  # only root can give a folder away


def test_a_missing_folder_is_made_and_given_to_the_classifier(tmp_path):
    prepare(tmp_path / "a/b", GIVEN)
    held = (tmp_path / "a/b").stat()
    assert (held.st_uid, held.st_gid, held.st_mode & 0o777) == (*GIVEN, 0o750)
    assert (tmp_path / "a").stat().st_uid == ME[0]
    prepare(tmp_path / "a/b", GIVEN)


def test_a_folder_of_somebody_else_stays_theirs(tmp_path):
    with pytest.raises(Failure, match="belongs to user"):
        prepare(tmp_path, OTHER)
    assert (tmp_path.stat().st_uid, tmp_path.stat().st_gid) == ME
    prepare(tmp_path, ME)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_is_refused(tmp_path, kind):
    place = tmp_path / "x"
    place.symlink_to(tmp_path) if kind == "link" else place.write_text("")
    with pytest.raises(Failure, match=r"symbolic link|no folder"):
        prepare(place, ME)
