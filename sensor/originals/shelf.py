"""Sealed texts on disk: one file of SQLite, rows by digest and workload, bounded in bytes and days.

When it is full, the oldest of the workload that holds most go first: an agent that floods it pushes out its own. What went, and
why, is counted in the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

FILE = "originals.db"
FORMAT = 2
BUSY = 5.0  # seconds to wait for a reader's lock
STEP = 64  # rows that go at a time when it is full
TABLES = """
CREATE TABLE originals (
    digest TEXT NOT NULL, workload TEXT NOT NULL, kind TEXT NOT NULL, node TEXT NOT NULL, cgroup INTEGER NOT NULL,
    first REAL NOT NULL, last REAL NOT NULL, length INTEGER NOT NULL, size INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (digest, workload)
);
CREATE INDEX originals_last ON originals (last);
CREATE INDEX originals_workload ON originals (workload, last);
CREATE TABLE gone (reason TEXT PRIMARY KEY, texts INTEGER NOT NULL);
"""
HELD = """
CREATE TABLE held (workload TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
INSERT INTO held SELECT workload, sum(size) FROM originals GROUP BY workload;
CREATE TRIGGER originals_come AFTER INSERT ON originals BEGIN
    INSERT OR IGNORE INTO held VALUES (new.workload, 0);
    UPDATE held SET bytes = bytes + new.size WHERE workload = new.workload;
END;
CREATE TRIGGER originals_go AFTER DELETE ON originals BEGIN
    UPDATE held SET bytes = bytes - old.size WHERE workload = old.workload;
    DELETE FROM held WHERE workload = old.workload AND bytes <= 0;
END;
"""  # what each workload holds: to add it up would read all texts, each time that one is put
STEPS = {0: TABLES + HELD, 1: HELD}  # from a format to the newest
COLUMNS = ("digest", "workload", "kind", "node", "cgroup", "first", "last", "length")


class ShelfError(RuntimeError):
    """A file that cannot be used; the message says what to do."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Original:
    """One sealed text."""

    digest: str  # sha256 of the text, as the events carry it
    workload: str
    kind: str  # "user_turn", "answer", "tool_result", "arguments", "result", "system", "error"
    node: str
    cgroup: int
    time: float  # seconds, event time
    length: int  # bytes of the text
    sealed: bytes = field(repr=False)


class Shelf:
    """The file, for the one who writes it.

    Raises:
        ShelfError: It cannot be made, or is no file of ours.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.path, self._most = folder / FILE, max_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made by ourselves, so that it is never readable for others and never a link to elsewhere.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as e:
            raise ShelfError(f"{self.path}: {e}; check the place, or move the file away") from e

    def _prepare(self) -> None:
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before there is anything in the file
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA journal_size_limit = 16777216")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise sqlite3.DatabaseError(f"format {version}, this driftline writes {FORMAT}")
        if version in STEPS:
            self._db.executescript(f"BEGIN IMMEDIATE; {STEPS[version]} PRAGMA user_version = {FORMAT}; COMMIT;")

    def put(self, found: Iterable[Original], *, before: float) -> None:
        """Keep texts, let go of those that were last said before a time, and of what is too much.

        Raises:
            ShelfError: The disk is full, or somebody holds the file; nothing was kept.
        """
        try:
            with self._writing():
                for original in found:
                    self._keep(original)
                self._forget("days", "last < ?", before)
                self._make_room()
            self._db.execute("PRAGMA incremental_vacuum(1024)").fetchall()
        except sqlite3.Error as e:
            raise ShelfError(f"{self.path}: {e}; free some room") from e

    def lost(self, reason: str, texts: int) -> None:
        """Count what was never kept."""
        try:
            with self._writing():
                self._count(reason, texts)
        except sqlite3.Error as e:
            raise ShelfError(f"{self.path}: {e}; free some room") from e

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _keep(self, o: Original) -> None:
        again = "UPDATE originals SET last = max(last, ?) WHERE digest = ? AND workload = ?"
        if self._db.execute(again, (o.time, o.digest, o.workload)).rowcount:
            return
        row = (o.digest, o.workload, o.kind, o.node, o.cgroup, o.time, o.time, o.length, len(o.sealed), o.sealed)
        self._db.execute("INSERT INTO originals VALUES (?,?,?,?,?,?,?,?,?,?)", row)

    def _make_room(self) -> None:
        (held,) = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM held").fetchone()
        while held > self._most:
            heaviest = "SELECT workload FROM held ORDER BY bytes DESC LIMIT 1"
            oldest = f"SELECT rowid FROM originals WHERE workload = ({heaviest}) ORDER BY last LIMIT {STEP}"
            rows = self._db.execute(
                f"SELECT rowid, size FROM originals WHERE rowid IN ({oldest}) ORDER BY last"
            ).fetchall()
            if not rows:  # somebody else has written to the file
                return
            for rowid, size in rows:
                self._forget("room", "rowid = ?", rowid)
                held -= size
                if held <= self._most:
                    break

    def _forget(self, reason: str, which: str, value: Any) -> None:
        self._count(reason, self._db.execute(f"DELETE FROM originals WHERE {which}", (value,)).rowcount)

    def _count(self, reason: str, texts: int) -> None:
        if texts:
            add = "INSERT INTO gone VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET texts = texts + excluded.texts"
            self._db.execute(add, (reason, texts))


class Reading:
    """The file, for who looks into it.

    Raises:
        ShelfError: There is none, or it is no file of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        none = ShelfError(f"{self.path}: there are no originals; docs/originals.md says how they are kept")
        if not self.path.exists():
            raise none
        try:
            self._db = sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=BUSY)
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as e:
            raise ShelfError(f"{self.path}: {e}; check the place and who may read it") from e
        if not version:  # it is being made
            self._db.close()
            raise none
        if version > FORMAT:
            self._db.close()
            raise ShelfError(f"{self.path}: format {version}, this driftline reads up to {FORMAT}; please update")

    def listed(
        self, *, workload: str = "", digest: str = "", since: float = 0.0, until: float = 1e12, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """What there is, the latest last, without the texts.

        Args:
            workload: all of it, or a pattern with `*`.
            digest: its beginning.
        """
        query = f"""SELECT {", ".join(COLUMNS)} FROM originals WHERE (? = '' OR workload GLOB ?)
            AND substr(digest, 1, length(?)) = ? AND last >= ? AND first <= ? ORDER BY last DESC LIMIT ?"""
        found = self._rows(query, workload, workload, digest, digest, since, until, limit)
        return [dict(zip(COLUMNS, row, strict=True)) for row in reversed(found)]

    def sealed(self, digest: str, workload: str) -> bytes:
        """One sealed text."""
        return self._rows("SELECT sealed FROM originals WHERE digest = ? AND workload = ?", digest, workload)[0][0]

    def gone(self) -> dict[str, int]:
        """Texts that were not kept or are not kept any more, by reason."""
        return dict(self._rows("SELECT reason, texts FROM gone ORDER BY reason"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _rows(self, query: str, *values: Any) -> list[tuple]:
        try:
            return self._db.execute(query, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as e:  # the latter: a damaged file whose words the error quotes
            raise ShelfError(f"{self.path}: {e}; check the place and who may read it") from e
