"""Rows are added, never changed; each holds the hash of the one before; what comes again changes nothing."""

import hashlib
import itertools
import os
import sqlite3
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.audit import database, tree
from guard.audit.canon import read
from guard.audit.heads import HeadError, parsed, sign, signed, written
from guard.audit.ledger import NONE, Ledger, LedgerError, NotNow
from guard.audit.seal import EVERY, current, due, seal, sound
from tests.guard.audit.trail import KEY, OTHER, PUBLIC, changed, draft, filled


@pytest.fixture
def ledger(tmp_path):
    ledger = filled(tmp_path / "audit", 7)
    yield ledger
    ledger.close()


def test_each_row_holds_the_hash_of_the_one_before(ledger):
    before = NONE
    for seq in range(1, 8):
        row = ledger.row(seq)
        assert read(row.body)["prev"] == before and read(row.body)["seq"] == seq
        before = hashlib.sha256(b"\0" + row.body).hexdigest()
        assert row.hash.hex() == before
    assert ledger.last() == (7, before)


def test_what_comes_again_has_its_place_already(ledger):
    with ledger.writing():
        assert ledger.add(draft(3), now=9e9) is None
        assert ledger.add(draft(8), now=9e9) == "AR-000008"
    assert ledger.size == 8


def test_rows_can_be_neither_changed_nor_deleted_by_a_statement(ledger, tmp_path):
    db = sqlite3.connect(tmp_path / "audit/audit.db")
    for statement in ("DELETE FROM rows WHERE seq = 2", "UPDATE rows SET body = x'00' WHERE seq = 2",
                      "UPDATE rows SET hash = x'00', body = NULL WHERE seq = 2"):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
        db.rollback()
    db.close()


def test_only_its_owner_reads_the_files(ledger, tmp_path):
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "audit").iterdir()}
    assert modes and set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700


def test_one_program_writes_and_others_read(ledger, tmp_path):
    with pytest.raises(LedgerError, match="another program"):
        Ledger(tmp_path / "audit", writer=True)
    reader = Ledger(tmp_path / "audit")
    assert reader.size == 7
    with pytest.raises(NotNow, match="read only"), reader.writing():
        reader.add(draft(8), now=1.0)
    reader.close()


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / "audit").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "audit/audit.db")
    with pytest.raises(OSError):
        Ledger(tmp_path / "audit", writer=True)
    assert not (tmp_path / "elsewhere").exists()


def test_no_trail_is_said_with_a_remedy(tmp_path):
    with pytest.raises(LedgerError, match="--dir"):
        Ledger(tmp_path)
    (tmp_path / "audit.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(LedgerError, match="move the file away"):
        Ledger(tmp_path)


def test_a_write_that_fails_changes_nothing(ledger):
    with pytest.raises(ZeroDivisionError), ledger.writing():
        ledger.add(draft(8), now=1.0)
        1 / 0  # noqa: B018
    assert ledger.size == 7


def test_a_full_disk_is_said_and_passes(tmp_path):
    ledger = filled(tmp_path / "full", 1, max_bytes=1 << 17)
    with pytest.raises(NotNow, match="disk full"), ledger.writing():
        for number in range(2, 999):
            ledger.add(draft(number, more="x" * 4096), now=1.0)
    assert ledger.size == 1
    ledger.close()


def test_a_trail_that_cannot_be_opened_now_is_tried_again_later(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY", 0.01)
    filled(tmp_path / "audit", 1).close()
    other = sqlite3.connect(tmp_path / "audit/audit.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(NotNow, match="database locked"):
        Ledger(tmp_path / "audit", writer=True)
    other.close()
    Ledger(tmp_path / "audit", writer=True).close()  # the writer's lock was given back


def test_a_row_beyond_all_bounds_is_refused(ledger):
    with pytest.raises(LedgerError, match="limit"), ledger.writing():
        ledger.add(draft(8, more="x" * (5 << 20)), now=1.0)
    assert ledger.size == 7


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_heads_at_any_time_are_roots_of_beginnings(tmp_path_factory, sizes):
    ledger, heads, number = Ledger(tmp_path_factory.mktemp("t"), writer=True), [], 0
    for size in sizes:
        with ledger.writing():
            for _ in range(size):
                number += 1
                ledger.add(draft(number), now=1.0)
            heads.append(seal(ledger, KEY, 5.0))
    for before, after in itertools.pairwise(heads):
        proof = tree.consistency(ledger.node, before.size, after.size)
        roots = bytes.fromhex(before.root), bytes.fromhex(after.root)
        assert tree.consistent(before.size, after.size, *roots, proof)
    ledger.close()


def test_retention_takes_bodies_and_leaves_hashes(ledger):
    root = current(ledger, KEY, 1.0).root
    with ledger.writing():
        assert ledger.forget(1004.0) == (3, 3, 3)
    assert [ledger.row(seq).body is None for seq in range(1, 8)] == [True] * 3 + [False] * 4
    assert current(ledger, KEY, 1.0).root == root
    assert ledger.records(2) == {} and len(ledger.records(4)) == 1


def test_a_record_that_a_younger_row_cites_stays(ledger):
    again = draft(3)
    with ledger.writing():
        ledger.add(type(again)(**{n: getattr(again, n) for n in again.__slots__} | {"key": "k/again"}), now=5000.0)
        ledger.forget(4000.0)
    assert list(ledger.records(8).values()) == [b"record 3"]


# heads ------------------------------------------------------------------------------------------------------------------


def test_a_head_is_signed_by_its_key_alone(ledger):
    head = parsed(ledger.head())
    assert signed(head, PUBLIC) and not signed(head, OTHER.public_key())
    for changes in ({"size": 6}, {"root": "0" * 64}, {"time": 1}, {"log": "x"}, {"last": "1" * 64}):
        assert not signed(changed(head, **changes), PUBLIC)
    forged = sign(changed(head, size=6), OTHER)
    assert not signed(changed(forged, key=head.key), PUBLIC)


def test_a_head_is_due_with_rows_and_after_an_hour(ledger):
    assert not due(ledger, 2001.0) and due(ledger, 2000.0 + EVERY)
    with ledger.writing():
        ledger.add(draft(8), now=2001.0)
    assert due(ledger, 2001.0)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE rows SET body = x'7b7d' WHERE seq = 7", id="last-row"),
        pytest.param("UPDATE nodes SET hash = zeroblob(32) WHERE level = 2", id="tree"),
        pytest.param("DELETE FROM rows WHERE seq = 7", id="dropped"),
    ],
)
def test_a_trail_that_was_changed_behind_its_writer_is_not_continued(ledger, tmp_path, statement):
    assert sound(ledger)
    db = sqlite3.connect(tmp_path / "audit/audit.db")
    db.executescript(f"DROP TRIGGER rows_hold; DROP TRIGGER rows_stay; {statement};")
    db.close()
    assert not sound(ledger)


def test_an_empty_trail_needs_no_head(tmp_path):
    ledger = Ledger(tmp_path / "new", writer=True)
    assert sound(ledger) and not due(ledger, 1.0) and ledger.head() is None
    ledger.close()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b"x" * 9999, id="large"),
        pytest.param(b'{"size":1}', id="lacks-fields"),
    ],
)
def test_what_is_no_head_is_refused(data):
    with pytest.raises(HeadError):
        parsed(data)


@pytest.mark.parametrize("changes", [{"size": -1}, {"size": True}, {"root": "zz"}, {"format": 2}, {"log": 3}], ids=str)
def test_a_head_with_a_wrong_field_is_refused(ledger, changes):
    with pytest.raises(HeadError):
        parsed(written(changed(parsed(ledger.head()), **changes)))
