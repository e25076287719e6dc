"""The database's steps forward. A database holds the number of the last step it took; there is no way back."""

from __future__ import annotations

import sqlite3

STEPS: tuple[str, ...] = (
    # 1: everything that issue 2 needs
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE numberings (
        node TEXT NOT NULL, epoch TEXT NOT NULL, number INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (node, epoch)
    ) WITHOUT ROWID;
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, epoch TEXT NOT NULL, number INTEGER NOT NULL,
        event TEXT, time REAL, frame BLOB NOT NULL
    );
    CREATE INDEX journal_event ON journal (event) WHERE event IS NOT NULL;
    CREATE TABLE snapshot (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, aside TEXT, state BLOB NOT NULL);
    CREATE TABLE findings (
        id TEXT NOT NULL, version INTEGER NOT NULL, workload TEXT NOT NULL, label TEXT NOT NULL, json TEXT NOT NULL,
        PRIMARY KEY (id, version)
    ) WITHOUT ROWID;
    CREATE TABLE events (id TEXT PRIMARY KEY, time REAL NOT NULL, frame BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX events_time ON events (time);
    CREATE TABLE deploys (id TEXT PRIMARY KEY, time REAL NOT NULL, workload TEXT NOT NULL, frame BLOB NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE refusals (
        id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    """,
    # 2: what an audit trail is written from, in the order in which it was kept
    """
    CREATE TABLE feed (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, what TEXT NOT NULL, since REAL,
        body BLOB NOT NULL
    );
    """,
    # 3: snapshots are compressed; a program that does not know it must not take one for damaged, and begin anew
    "",
)


class StoreError(RuntimeError):
    """A database that this program cannot use; the message says what to do."""

    exit_code = 3


def upgrade(database: sqlite3.Connection, where: str, steps: tuple[str, ...] = STEPS) -> None:
    """Take every step that is missing, each in a transaction of its own.

    Raises:
        StoreError: The database is from a newer driftline.
    """
    (at,) = database.execute("PRAGMA user_version").fetchone()
    if at > len(steps):
        raise StoreError(f"{where}: schema {at}, this driftline knows up to {len(steps)}; please update")
    for number in range(at, len(steps)):
        database.executescript(f"BEGIN; {steps[number]} PRAGMA user_version = {number + 1}; COMMIT;")
