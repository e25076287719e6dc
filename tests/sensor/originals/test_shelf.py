"""Sealed texts are kept by digest and workload, within bytes and days; who floods loses its own, and what went is counted."""

import os
import sqlite3
import stat

import pytest

from sensor.originals.shelf import FORMAT, TABLES, Original, Reading, Shelf, ShelfError

DAY = 86_400.0


def original(digest="a", workload="unit:a", *, time=100.0, size=10):
    return Original(digest * 64, workload, "user_turn", "n1", 7, time, 5, bytes(size))


@pytest.fixture
def shelf(tmp_path):
    made = Shelf(tmp_path / "kept", max_bytes=1000)
    yield made
    made.close()


def digests(shelf, **wanted):
    reading = Reading(shelf.path.parent)
    found = [(row["digest"][0], row["workload"]) for row in reading.listed(**wanted)]
    reading.close()
    return found


def gone(shelf):
    reading = Reading(shelf.path.parent)
    found = reading.gone()
    reading.close()
    return found


def test_what_was_put_is_listed_and_given_back(shelf):
    shelf.put([original(size=33)], before=0.0)
    reading = Reading(shelf.path.parent)
    assert reading.listed() == [
        {"digest": "a" * 64, "workload": "unit:a", "kind": "user_turn", "node": "n1", "cgroup": 7, "first": 100.0,
         "last": 100.0, "length": 5}
    ]  # fmt: skip
    assert reading.sealed("a" * 64, "unit:a") == bytes(33)
    reading.close()


def test_only_its_owner_reads_the_file(shelf):
    assert stat.S_IMODE(shelf.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(shelf.path.parent.stat().st_mode) == 0o700


def test_the_same_text_of_a_workload_is_kept_once_and_its_last_time_moves(shelf):
    shelf.put([original(time=100.0), original(time=200.0), original(workload="unit:b")], before=0.0)
    reading = Reading(shelf.path.parent)
    assert [(r["workload"], r["first"], r["last"]) for r in reading.listed()] == [
        ("unit:b", 100.0, 100.0),
        ("unit:a", 100.0, 200.0),
    ]
    reading.close()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({"workload": "unit:b"}, "b", id="workload"),
        pytest.param({"workload": "unit:*"}, "abc", id="pattern"),
        pytest.param({"digest": "cc"}, "c", id="digest"),
        pytest.param({"digest": "c%"}, "", id="no-wildcard-in-a-digest"),
        pytest.param({"since": 250.0}, "c", id="since"),
        pytest.param({"until": 150.0}, "a", id="until"),
        pytest.param({"limit": 2}, "bc", id="the-newest"),
    ],
)
def test_texts_are_chosen(shelf, wanted, found):
    shelf.put([original(d, f"unit:{d}", time=100.0 * n) for n, d in enumerate("abc", 1)], before=0.0)
    assert "".join(digest for digest, _ in digests(shelf, **wanted)) == found


def test_what_was_last_said_too_long_ago_goes_and_is_counted(shelf):
    shelf.put([original("a", time=100.0), original("b", time=200.0)], before=0.0)
    shelf.put([], before=150.0)
    assert digests(shelf) == [("b", "unit:a")] and gone(shelf) == {"days": 1}


def test_who_floods_it_pushes_out_its_own(shelf):
    shelf.put([original("a", "unit:quiet", time=1.0, size=300)], before=0.0)
    shelf.put([original(d, "unit:loud", time=10.0 + n, size=150) for n, d in enumerate("bcdefg")], before=0.0)
    assert digests(shelf) == [
        ("a", "unit:quiet"),
        *(("d", "unit:loud"), ("e", "unit:loud"), ("f", "unit:loud"), ("g", "unit:loud")),
    ]
    assert gone(shelf) == {"room": 2}


def sums(path):
    """What each workload holds, as it is kept and as it adds up."""
    db = sqlite3.connect(path)
    kept = db.execute("SELECT workload, bytes FROM held ORDER BY workload").fetchall()
    found = db.execute("SELECT workload, sum(size) FROM originals GROUP BY workload ORDER BY workload").fetchall()
    db.close()
    return kept, found


def test_what_each_workload_holds_is_known_without_reading_its_texts(shelf):
    """With 200 MB of texts, each put of five read them all and took a second of a core: texts of a busy agent were lost."""
    shelf.put([original(d, f"unit:{n % 2}", time=float(n), size=90 + n) for n, d in enumerate("abcdef")], before=0.0)
    shelf.put([original("a", "unit:0", time=9.0)], before=0.0)  # said again, it is not held twice
    assert sums(shelf.path) == ([("unit:0", 276), ("unit:1", 279)],) * 2
    shelf.put([original("g", "unit:2", time=10.0, size=700)], before=2.0)
    kept, found = sums(shelf.path)
    assert kept == found and sum(held for _, held in kept) <= 1000
    shelf.put([], before=100.0)
    assert sums(shelf.path) == ([], [])


def test_what_is_rolled_back_is_not_held(shelf):
    shelf.put([original("a", size=50)], before=0.0)
    with pytest.raises(ShelfError):
        shelf.put([original("b", size=60), original("c", workload=None)], before=0.0)
    assert sums(shelf.path) == ([("unit:a", 50)],) * 2


def test_a_file_of_the_first_format_learns_what_it_holds(tmp_path):
    db = sqlite3.connect(tmp_path / "originals.db")
    db.executescript(f"{TABLES} PRAGMA user_version = 1;")
    db.execute("INSERT INTO originals VALUES ('d', 'unit:a', 'answer', 'n1', 7, 1.0, 1.0, 5, 30, x'00')")
    db.commit()
    db.close()
    shelf = Shelf(tmp_path, max_bytes=1000)
    shelf.put([original("b", size=12)], before=0.0)
    shelf.close()
    assert sums(shelf.path) == ([("unit:a", 42)],) * 2
    assert sqlite3.connect(shelf.path).execute("PRAGMA user_version").fetchone() == (FORMAT,)


def test_a_text_larger_than_all_the_room_does_not_stay(shelf):
    shelf.put([original(size=5000)], before=0.0)
    assert digests(shelf) == [] and gone(shelf) == {"room": 1}


def test_losses_before_the_file_are_counted_in_it(shelf):
    shelf.lost("memory", 3)
    shelf.lost("memory", 2)
    shelf.lost("rate", 0)
    assert gone(shelf) == {"memory": 5}


def test_it_goes_on_where_it_was(tmp_path):
    for digest in "ab":
        shelf = Shelf(tmp_path, max_bytes=1000)
        shelf.put([original(digest)], before=0.0)
        shelf.close()
    assert len(digests(shelf)) == 2


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"")
    os.symlink(tmp_path / "elsewhere", tmp_path / "originals.db")
    with pytest.raises(ShelfError, match="check the place"):
        Shelf(tmp_path, max_bytes=1000)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""], ids=["words", "empty"])
def test_another_file_in_its_place_is_no_shelf(tmp_path, content):
    (tmp_path / "originals.db").write_bytes(content)
    with pytest.raises(ShelfError):
        Reading(tmp_path)


def test_a_newer_file_is_not_written(tmp_path):
    db = sqlite3.connect(tmp_path / "originals.db")
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(ShelfError, match="format 9"):
        Shelf(tmp_path, max_bytes=1000)


def test_where_nothing_was_kept_the_answer_says_so(tmp_path):
    with pytest.raises(ShelfError, match="there are no originals"):
        Reading(tmp_path)
