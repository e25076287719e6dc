"""What was accepted is there after anything; what could not be written changed nothing."""

import os
import sqlite3
from dataclasses import replace

import pytest
from zstandard import ZstdCompressor

from classifier.drift.finding import Finding, Signal, finding_to_dict
from classifier.settings import Retention
from classifier.store import database as database_module
from classifier.store.database import Database, NotNow
from classifier.store.packed import MAGIC, packed, unpacked
from classifier.store.schema import STEPS, StoreError, upgrade
from classifier.store.store import Frame, Store
from tests.factories import SHOP, deploy, event, window
from wire import codec
from wire.records import Tick

ROOMY = Retention()
NONE = Signal(None, 0.0, "")
FINDING = Finding(
    "f1",
    1,
    SHOP,
    "risky_drift",
    "high",
    1.0,
    2.0,
    "t",
    "b",
    (NONE, NONE, NONE),
    None,
    "none",
    (),
    1,
    ("r1",),
    1,
    (),
    (),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.db"


@pytest.fixture
def store(path):
    store = Store(path, ROOMY)
    yield store
    store.close()


def frame(record, number=0, node="n1", epoch="e"):
    return Frame(record, codec.encode(record), node, epoch, number)


def ticks(first, last):
    return [frame(Tick("n1", float(n)), n) for n in range(first, last)]


def journal(store, after=0):
    return [a.record for a in store.after(after)]


@pytest.mark.parametrize(
    ("bursts", "times"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([ticks(1, 4)], [1, 2, 3], id="one-burst"),
        pytest.param([ticks(1, 4), ticks(1, 4)], [1, 2, 3], id="sent-twice"),
        pytest.param([ticks(1, 4), ticks(2, 6)], [1, 2, 3, 4, 5], id="overlap"),
        pytest.param([ticks(1, 3) + ticks(1, 4)], [1, 2, 3], id="twice-in-one-burst"),
        pytest.param([ticks(1, 3), ticks(7, 9)], [1, 2, 7, 8], id="hole-after-a-loss"),
    ],
)
def test_a_frame_is_kept_once(store, path, bursts, times):
    for burst in bursts:
        store.accept(burst)
    assert [r.time for r in journal(store)] == times
    again = Store(path, ROOMY)
    assert again.known("n1", "e") == (times[-1] if times else 0)
    assert not times or again.accept(bursts[-1]) == []
    again.close()


def test_numberings_of_two_senders_are_apart(store):
    store.accept(
        [frame(Tick("a", 1.0), 5, "a", "x"), frame(Tick("b", 1.0), 1, "b", "x"), frame(Tick("a", 2.0), 1, "a", "y")]
    )
    assert len(journal(store)) == 3
    assert (store.known("a", "x"), store.known("b", "x"), store.known("a", "y"), store.known("b", "y")) == (5, 1, 1, 0)


def test_frames_without_a_number_are_always_new(store):
    store.accept([frame(Tick("n1", 1.0)), frame(Tick("n1", 1.0))])
    assert len(journal(store)) == 2


def test_a_snapshot_stands_in_for_the_journal_before_it(store, path):
    accepted = store.accept(ticks(1, 11))
    store.snapshot(accepted[5].seq, b"state", [FINDING], now=100.0)
    assert store.last_snapshot().state == b"state"
    assert [r.time for r in journal(store, store.last_snapshot().seq)] == [7, 8, 9, 10]
    assert store.accept(ticks(1, 12)) and store.known("n1", "e") == 11
    assert [v["id"] for v in store.versions("f1")] == ["f1"]


@pytest.mark.parametrize("state", [b"", b"\x92\x01\xc7\x00\x03", b"x" * 300_000], ids=["empty", "small", "large"])
def test_a_state_comes_back_as_it_was(store, state):
    store.snapshot(1, state, [], now=0.0)
    assert store.last_snapshot().state == state
    (kept,) = store.database.rows("SELECT state FROM snapshot")[0]
    assert len(kept) < max(100, len(state) // 10)


def test_a_state_that_an_older_driftline_wrote_is_read(store):
    store.snapshot(1, b"", [], now=0.0)
    with store.database.writing() as db:
        db.execute("UPDATE snapshot SET state = ?", (b"\x92\x01 as it is",))
    assert store.last_snapshot().state == b"\x92\x01 as it is"


def test_a_damaged_state_is_left_to_whoever_reads_states():
    data = packed(os.urandom(999))
    assert unpacked(data[:-9]) == data[:-9]


@pytest.mark.parametrize(
    "size", [(1 << 63) - 1, (1 << 64) - 1, 1 << 31], ids=["beyond a length", "not stated", "2 GiB"]
)
def test_a_state_that_claims_any_length_is_left_as_it_is(size):
    data = MAGIC + b"\xe0" + size.to_bytes(8, "little") + b"state"
    assert unpacked(data) == data


def test_a_few_bytes_do_not_unpack_to_all_memory():
    bomb = ZstdCompressor(level=1).compress(bytes(16 << 20))
    assert len(bomb) < 1024 and unpacked(bomb) == bomb


def test_a_state_that_is_like_a_bomb_is_kept_as_it_is():
    state = bytes(2 << 20)
    assert packed(state) == state and unpacked(packed(state)) == state


def test_numbers_in_the_journal_are_never_used_twice(store):
    last = store.accept(ticks(1, 4))[-1].seq
    store.snapshot(last, b"s", [], now=0.0)
    assert store.accept(ticks(4, 5))[0].seq == last + 1


def test_every_version_of_a_finding_is_kept_and_a_version_replaces_itself(store):
    store.keep_findings([FINDING, replace(FINDING, version=2, label="expected_evolution")])
    store.keep_findings([replace(FINDING, count=9)])
    assert [(v["version"], v["label"], v["count"]) for v in store.versions("f1")] == [
        (1, "risky_drift", 9),
        (2, "expected_evolution", 1),
    ]
    assert store.versions("f1")[1] == finding_to_dict(replace(FINDING, version=2, label="expected_evolution")) | {
        "deviations": [],
        "revisions": ["r1"],
        "evidence": [],
        "history": [],
        "terms": [],
        "considered": [],
    }
    assert store.versions("none") == []


def test_evidence_is_found_in_the_journal_and_after_a_snapshot(store):
    first = event(id="n1/e/1", time=5.0, argv="ls")
    accepted = store.accept([frame(first, 1)])
    assert store.event("n1/e/1") == first
    store.snapshot(accepted[-1].seq, b"", [], now=6.0)
    assert store.event("n1/e/1") == first
    assert store.event("n1/e/2") is None


@pytest.mark.parametrize(
    ("retention", "left"),
    [
        pytest.param(Retention(event_rows=3), [8, 9, 10], id="rows"),
        pytest.param(Retention(event_age=4.0), [6, 7, 8, 9, 10], id="age"),
        pytest.param(Retention(), list(range(1, 11)), id="room-for-all"),
    ],
)
def test_evidence_is_bounded_by_rows_and_age_oldest_first(path, retention, left):
    store = Store(path, retention)
    accepted = store.accept([frame(event(id=f"n1/e/{n}", time=float(n)), n) for n in range(1, 11)])
    store.snapshot(accepted[-1].seq, b"", [], now=10.0)
    assert [n for n in range(1, 11) if store.event(f"n1/e/{n}")] == left
    store.close()


def test_refusals_are_bounded(path):
    store = Store(path, Retention(refusals=3))
    for n in range(9):
        store.refuse(float(n), "http", "bad signature", f"number {n}" + "x" * 9999)
    store.snapshot(0, b"", [], now=0.0)
    kept = store.database.rows("SELECT time, length(detail) FROM refusals ORDER BY id")
    assert [t for t, _ in kept] == [6.0, 7.0, 8.0] and all(length <= 500 for _, length in kept)
    store.close()


def test_an_accepted_deploy_event_is_known_by_its_id_and_a_refused_one_is_not(store):
    store.accept([frame(deploy(id="d1"), 1), frame(deploy(id="d2", refused="bad signature"), 2)])
    assert store.has_deploy("d1") and not store.has_deploy("d2")


# what goes wrong --------------------------------------------------------------------------------------------------------


def big(number):
    return frame(window(1, "open:data:" + "x" * 50_000), number)


def test_a_full_database_keeps_what_was_accepted_and_takes_more_when_there_is_room(path):
    store = Store(path, ROOMY)
    store.database.limit(2 << 20)
    number = 0
    with pytest.raises(NotNow, match="disk full"):
        for number in range(1, 500):
            store.accept([big(number)])
    assert number > 5
    assert store.known("n1", "e") == number - 1
    assert len(journal(store)) == number - 1
    store.database.limit(64 << 20)
    assert len(store.accept([big(n) for n in range(1, number + 3)])) == 3
    store.close()
    again = Store(path, ROOMY)
    assert len(journal(again)) == number + 2
    again.close()


def test_a_failed_burst_leaves_nothing_of_itself(path):
    store = Store(path, ROOMY)
    store.accept(ticks(1, 3))
    store.database.limit(1 << 20)
    with pytest.raises(NotNow):
        store.accept([big(n) for n in range(3, 60)])
    assert [r.time for r in journal(store)] == [1, 2] and store.known("n1", "e") == 2
    store.close()


def test_a_snapshot_that_finds_no_room_leaves_the_journal(path):
    store = Store(path, ROOMY)
    last = store.accept(ticks(1, 9))[-1].seq
    store.database.limit(1 << 20)
    with pytest.raises(NotNow):
        store.snapshot(last, os.urandom(4 << 20), [], now=0.0)
    assert len(journal(store)) == 8 and store.last_snapshot() is None
    store.close()


def test_a_full_disk_keeps_what_was_accepted_and_recovers(small_disk):
    tiny = small_disk("tiny", 1)
    filler = tiny / "filler"
    store = Store(tiny / "c.db", ROOMY)
    filler.write_bytes(b"x" * (500 << 10))
    number = 0
    with pytest.raises(NotNow, match="disk"):
        for number in range(1, 100):
            store.accept([big(number)])
    assert len(journal(store)) == number - 1
    filler.unlink()
    assert store.accept([big(number)])
    store.close()


def test_a_locked_database_is_waited_for_and_then_reported(path, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY", 0.1)
    store = Store(path, ROOMY)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotNow, match="locked"):
        store.accept(ticks(1, 3))
    other.execute("ROLLBACK")
    assert len(store.accept(ticks(1, 3))) == 2
    other.close()
    store.close()


def test_a_newer_database_gets_an_answer(path):
    Store(path, ROOMY).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreError, match=r"schema 99, this driftline knows up to \d+; please update"):
        Store(path, ROOMY)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_gets_an_answer(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"c\.db: .*move the file away"):
        Store(path, ROOMY)


def test_a_place_that_does_not_exist_gets_an_answer(tmp_path):
    with pytest.raises(StoreError, match="check the place"):
        Store(tmp_path / "no" / "c.db", ROOMY)


def test_steps_go_forward_one_at_a_time_and_keep_what_is_there(path):
    steps = (*STEPS, "ALTER TABLE meta ADD COLUMN more TEXT DEFAULT 'new';")
    store = Store(path, ROOMY)
    store.note("units", {"a": 1})
    store.close()
    raw = sqlite3.connect(path, isolation_level=None)
    upgrade(raw, "x", steps)
    upgrade(raw, "x", steps)
    assert raw.execute("SELECT key, more FROM meta").fetchall() == [("units", "new")]
    assert raw.execute("PRAGMA user_version").fetchone() == (len(steps),)
    raw.close()


def test_a_step_that_fails_changes_nothing(path):
    raw = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.Error):
        upgrade(raw, "x", ("CREATE TABLE a (x); CREATE TABLE a (x);",))
    raw.close()
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    raw.close()


def test_a_snapshot_put_aside_is_kept_for_a_look(store):
    for n in range(5):
        store.snapshot(n, b"old %d" % n, [], now=0.0)
        store.put_aside("format 9")
    assert store.last_snapshot() is None
    rows = store.database.rows("SELECT state, aside FROM snapshot ORDER BY id")
    kept = [(unpacked(state), why) for state, why in rows]
    assert kept == [(b"old 2", "format 9"), (b"old 3", "format 9"), (b"old 4", "format 9")]


def test_the_database_is_for_its_owner_alone_and_writes_reach_the_disk(store, path):
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.database.rows("PRAGMA synchronous") == [(2,)]
    assert store.database.rows("PRAGMA journal_mode") == [("wal",)]


def test_what_is_noted_is_there_after_a_restart(path):
    store = Store(path, ROOMY)
    store.note("k", {"a": [1, None]})
    store.close()
    again = Store(path, ROOMY)
    assert again.noted("k") == {"a": [1, None]} and again.noted("other", 7) == 7
    again.close()


def test_one_transaction_is_all_or_nothing_for_any_error(path):
    db = Database(path, max_bytes=1 << 30)
    with pytest.raises(KeyError), db.writing() as raw:
        raw.execute("INSERT INTO meta VALUES ('a', '1')")
        raise KeyError
    assert db.rows("SELECT * FROM meta") == []
    db.close()
