"""The file of a trail: how it is made, opened by its one writer, and looked into by others."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from classifier.store.database import NotNow, passing
from classifier.store.schema import StoreError, upgrade

BUSY = 5.0  # seconds to wait for a reader's lock

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE rows (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, what TEXT NOT NULL,
        workload TEXT NOT NULL, finding TEXT NOT NULL, label TEXT NOT NULL, time REAL NOT NULL, written REAL NOT NULL,
        hash BLOB NOT NULL, body BLOB
    );
    CREATE INDEX rows_finding ON rows (finding, seq);
    CREATE INDEX rows_workload ON rows (workload, time);
    CREATE TABLE nodes (level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place))
        WITHOUT ROWID;
    CREATE TABLE heads (number INTEGER PRIMARY KEY, size INTEGER NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE records (digest TEXT PRIMARY KEY, id TEXT NOT NULL, time REAL NOT NULL, frame BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE cites (digest TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (digest, seq)) WITHOUT ROWID;
    CREATE INDEX cites_seq ON cites (seq);
    CREATE TABLE watch (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER rows_stay BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'rows stay'); END;
    CREATE TRIGGER rows_hold BEFORE UPDATE ON rows WHEN NEW.body IS NOT NULL OR NEW.hash IS NOT OLD.hash
        OR NEW.seq IS NOT OLD.seq OR NEW.key IS NOT OLD.key BEGIN SELECT RAISE(ABORT, 'rows hold'); END;
    """,
)


class LedgerError(StoreError):
    """A trail that cannot be used; the message says what to do."""

    exit_code = 3


def lock(folder: Path) -> int:
    """The lock of the one writer, as an open file.

    Raises:
        LedgerError: Another program holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / "audit.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(file)
        raise LedgerError(f"{folder}: another program writes this trail; stop it first") from e
    return file


def opened(path: Path, max_bytes: int) -> sqlite3.Connection:
    """The file for its writer, made where there is none.

    Raises:
        LedgerError: It is no trail of ours, damaged, or newer.
        NotNow: The disk is full, or somebody holds the file.
    """
    # Made by ourselves, so that it is never readable for others and never a link to elsewhere.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    os.chmod(path, 0o600)
    try:
        db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")
        upgrade(db, str(path), STEPS)
        (page,) = db.execute("PRAGMA page_size").fetchone()
        db.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page)}")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('log', ?)", (os.urandom(16).hex(),))
    except (sqlite3.Error, StoreError) as e:
        if isinstance(e, sqlite3.Error) and isinstance(later := passing(e), NotNow):
            raise later from e
        raise _unusable(path, e) from e
    return db


def looked_into(path: Path) -> sqlite3.Connection:
    """The file for reading, whoever writes it meanwhile.

    Raises:
        LedgerError: There is none, or it is no trail of ours.
    """
    if not path.exists():
        raise LedgerError(f"{path}: there is no audit trail; name its folder with --dir")
    try:
        address = f"file:{quote(str(path))}?mode=ro"
        db = sqlite3.connect(address, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)
        db.execute("SELECT seq FROM rows LIMIT 1").fetchall()
    except sqlite3.Error as e:
        raise _unusable(path, e) from e
    return db


def _unusable(path: Path, e: Exception) -> LedgerError:
    return LedgerError(f"{path}: {e}; check the place, or move the file away to begin anew")
