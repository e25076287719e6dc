"""What only its owner reads is written whole, and never through a link."""

import stat

import pytest

from console.cli.private import replace, write_new


@pytest.mark.parametrize("write", [write_new, replace])
def test_nobody_else_reads_it(tmp_path, write):
    write(tmp_path / "x", b"words")
    assert (tmp_path / "x").read_bytes() == b"words" and stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_what_is_there_is_never_written_over_as_new(tmp_path):
    (tmp_path / "x").write_text("key")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("x", "link"):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / name, b"words")
    assert (tmp_path / "x").read_text() == "key" and not (tmp_path / "elsewhere").exists()


def test_a_file_is_replaced_and_not_what_a_link_points_to(tmp_path):
    (tmp_path / "x").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    replace(tmp_path / "link", b"words")
    assert (tmp_path / "x").read_text() == "before" and not (tmp_path / "link").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "x"]


def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        replace(tmp_path / "folder", b"words")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
