"""Files count because only root could have put them there."""

import json
import os

import pytest

from classifier.deploys.folder import LIMIT, Folder
from tests.factories import SHOP

NOW = 1_800_000_000.0


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir(mode=0o755)

    def put(content, name="a.json", *, mode=0o644, age=60.0):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        os.chmod(path, mode)
        os.utime(path, (NOW - age, NOW - age))
        return path

    put.folder = folder
    return put


def scan(folder):
    watched = Folder(folder, owners=(os.getuid(),))
    found = list(watched.scan(NOW))
    for one in found:
        watched.settle(one)
    return found, watched


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        pytest.param({"workload": SHOP, "id": "d1"}, ["d1"], id="one"),
        pytest.param({"workload": SHOP}, ["a.json:0"], id="without-an-id"),
        pytest.param([{"workload": SHOP}, {"workload": "w", "id": "x"}], ["a.json:0", "x"], id="list"),
        pytest.param([], [], id="empty-list"),
    ],
)
def test_files_become_events_once(drop, content, ids):
    drop(content)
    (found,), _ = scan(drop.folder)
    assert [d.id for d in found.deploys] == ids and not found.refused
    assert all((d.source, d.trust, d.received) == ("folder", "local", NOW) for d in found.deploys)
    assert scan(drop.folder)[0] == [] and (drop.folder / "done/a.json").exists()


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        pytest.param(b"{", 0o644, "no JSON", id="no-json"),
        pytest.param(b"\xff", 0o644, "no JSON", id="no-text"),
        pytest.param(b"[" * 5000, 0o644, "no JSON", id="deep"),
        pytest.param(b" " * (LIMIT + 1), 0o644, "larger than 64 KiB", id="large"),
        pytest.param({"workload": 1}, 0o644, "workload", id="bad-field"),
        pytest.param([{"workload": SHOP}, 5], 0o644, "object", id="bad-item"),
        pytest.param({"workload": SHOP}, 0o664, "others can change it", id="group-may-write"),
        pytest.param({"workload": SHOP}, 0o646, "others can change it", id="all-may-write"),
    ],
)
def test_a_file_that_does_not_count_is_moved_with_its_reason(drop, content, mode, why):
    drop(content, mode=mode)
    (found,), _ = scan(drop.folder)
    assert why in found.refused and found.deploys == ()
    assert why in (drop.folder / "refused/a.json.reason").read_text()
    assert (drop.folder / "refused/a.json").exists() and scan(drop.folder)[0] == []


def test_links_pipes_and_strangers_files_do_not_count(drop, tmp_path):
    target = tmp_path / "elsewhere.json"
    target.write_text(json.dumps({"workload": SHOP}))
    os.symlink(target, drop.folder / "link.json")
    os.link(target, drop.folder / "hard.json")
    os.mkfifo(drop.folder / "pipe.json")
    for name in ("hard.json", "pipe.json"):
        os.utime(drop.folder / name, (1, 1))
    found, _ = scan(drop.folder)
    assert [(f.name, bool(f.refused), f.deploys) for f in found] == [
        ("hard.json", True, ()),
        ("link.json", True, ()),
        ("pipe.json", True, ()),
    ]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_does_not_count(drop):
    os.chown(drop({"workload": SHOP}), 65520, -1)
    (found,), _ = scan(drop.folder)
    assert found.refused == "owned by user 65520, not by root"


@pytest.mark.parametrize(("name", "age"), [("a.json.tmp", 60), (".a.json", 60), ("a.txt", 60), ("a.json", 0.2)])
def test_what_is_not_complete_is_left_alone(drop, name, age):
    path = drop({"workload": SHOP}, name, age=age)
    assert scan(drop.folder)[0] == [] and path.exists()


@pytest.mark.parametrize("harm", ["writable", "gone", "file"])
def test_a_folder_that_proves_nothing_is_not_looked_at(drop, tmp_path, harm):
    drop({"workload": SHOP})
    where = drop.folder
    if harm == "writable":
        os.chmod(where, 0o777)
    else:
        where = tmp_path / harm
        if harm == "file":
            where.touch()
    found, watched = scan(where)
    assert found == [] and str(where) in watched.trouble
    if harm == "writable":
        os.chmod(where, 0o755)
        assert list(watched.scan(NOW)) and not watched.trouble


def test_a_file_that_cannot_be_moved_is_read_once_and_again_only_if_it_changes(drop):
    """An unprivileged classifier reread and logged each of them every second."""
    path = drop({"workload": SHOP, "id": "d1"})
    drop(b"{", "b.json")
    (drop.folder / "done").write_text("no folder")
    (drop.folder / "refused").write_text("no folder")
    watched = Folder(drop.folder, owners=(os.getuid(),))

    def look():
        found = list(watched.scan(NOW))
        for one in found:
            watched.settle(one)
        return [f.name for f in found]

    assert look() == ["a.json", "b.json"] and watched.stuck == 2
    trouble = watched.trouble
    assert look() == look() == [] and (watched.stuck, watched.trouble) == (2, trouble) and "2 files" in trouble
    drop({"workload": SHOP, "id": "d2"})
    assert look() == ["a.json"] and watched.stuck == 2
    path.unlink()
    (drop.folder / "refused").unlink()
    drop(b"{}", "b.json")
    assert look() == ["b.json"]
    assert look() == [] and (watched.stuck, watched.trouble) == (0, "")
