"""The SQLite file: how it is opened, and which of its failures pass by themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from classifier.store.schema import StoreError, upgrade

BUSY = 2.0  # seconds to wait for another program's lock
PASSING = {  # what a person or time mends → how it is reported
    sqlite3.SQLITE_FULL: "disk full",
    sqlite3.SQLITE_IOERR: "disk failing",
    sqlite3.SQLITE_BUSY: "database locked",
    sqlite3.SQLITE_LOCKED: "database locked",
    sqlite3.SQLITE_CANTOPEN: "cannot open",  # no room for the log, or no file descriptors
    sqlite3.SQLITE_READONLY: "read only",  # a file system that went read-only after an error
}


class NotNow(RuntimeError):
    """The store cannot write at the moment; nothing was changed. The text is the reason in two words."""


class Database:
    """One connection, used by one thread at a time.

    Every commit reaches the disk (``synchronous=FULL``): the sensor forgets a frame when it is acknowledged, so a power
    cut after the acknowledgement must not take it back, as NORMAL would. One commit per burst keeps that cheap: a commit
    of 50 frames took 0.33 ms instead of 0.16 (median; virtual disk, 2 cores, frames of 400 bytes).

    Raises:
        StoreError: No database of ours, damaged, newer, or in a place that cannot be written.
        NotNow: The disk is full, or somebody holds the database.
    """

    def __init__(self, path: Path, *, max_bytes: int):
        self.path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
            self._prepare(max_bytes)
        except sqlite3.Error as e:
            if getattr(e, "sqlite_errorcode", 0) & 0xFF in (
                sqlite3.SQLITE_FULL,
                sqlite3.SQLITE_IOERR,
                sqlite3.SQLITE_BUSY,
            ):
                raise passing(e) from e
            raise StoreError(f"{path}: {e}; check the place, or move the file away to begin anew") from e
        path.chmod(0o600)

    def _prepare(self, max_bytes: int) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 16777216")
        upgrade(self._db, str(self.path))
        self.limit(max_bytes)

    def limit(self, max_bytes: int) -> None:
        """Let the file grow to at most this much; reaching it is a full disk."""
        (page,) = self._db.execute("PRAGMA page_size").fetchone()
        self._db.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page)}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing.

        Raises:
            NotNow: The disk is full, or somebody holds the database.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            self._back()
            raise passing(e) from e
        except BaseException:
            self._back()
            raise

    def _back(self) -> None:
        # SQLite has rolled back by itself after some errors, a full disk among them.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def rows(self, query: str, *values: object) -> list[tuple]:
        """The answer to a question.

        Raises:
            NotNow: Somebody holds the database.
        """
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as e:
            raise passing(e) from e

    def close(self) -> None:
        """Fold the log into the file where that can be done, and close."""
        self._db.close()


def passing(e: sqlite3.Error) -> Exception:
    """What an error of SQLite means for the caller: wait, or stop."""
    code = getattr(e, "sqlite_errorcode", 0) & 0xFF  # the rest says more exactly what was being read or written
    if code in PASSING:
        return NotNow(PASSING[code])
    return StoreError(f"database: {e}; stop the classifier, then move the file away to begin anew")
