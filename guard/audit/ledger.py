"""The trail on disk: rows that are only ever added, each holding the hash of the one before, under signed heads.

One SQLite file, one writer. A row, its place in the Merkle tree, the records it cites and the writer's place in the
classifier's feed are one transaction, so a kill neither loses a row nor doubles it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classifier.store.database import NotNow, passing
from guard.audit import tree
from guard.audit.canon import canonical, digest, plain
from guard.audit.database import LedgerError, lock, looked_into, opened

FORMAT = 1  # of a row
LARGEST = 4 << 20  # bytes of a row; what a row may hold is bounded far below
NONE = "0" * 64  # the hash before the first row


@dataclass(frozen=True, slots=True)
class Draft:
    """A row before it has its place."""

    key: str  # the same thing always has the same; what comes again changes nothing
    kind: str
    what: str
    time: float  # seconds, event time
    content: dict[str, Any]
    workload: str = ""
    finding: str = ""
    label: str = ""
    frames: tuple[tuple[str, float, bytes], ...] = field(default=(), repr=False)  # id, time, record


@dataclass(frozen=True, slots=True)
class Kept:
    """A row as it is kept."""

    seq: int
    id: str
    hash: bytes
    body: bytes | None  # None: past its retention

    @property
    def value(self) -> dict[str, Any]:
        """The row as plain values; empty when it is past its retention."""
        return json.loads(self.body) if self.body is not None else {}


class Ledger:
    """One trail.

    Args:
        writer: take the writer's lock, and make the file where there is none; else only read.
    Raises:
        LedgerError: There is none, another program writes it, or it is no trail of ours.
    """

    def __init__(self, folder: Path, *, writer: bool = False, max_bytes: int = 8 << 30):
        self.folder, self.path = folder, folder / "audit.db"
        self._lock = lock(folder) if writer else None
        try:
            self._db = opened(self.path, max_bytes) if writer else looked_into(self.path)
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def close(self) -> None:
        """Close the file and let another program write it."""
        self._db.close()
        self._release()

    # writing --------------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing.

        Raises:
            NotNow: The disk is full, or somebody holds the file.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            self._back()
            raise passing(e) from e
        except BaseException:
            self._back()
            raise

    def _back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def add(self, draft: Draft, *, now: float) -> str | None:
        """Give a row its place, inside of `writing`; its id, or None when it has one already.

        Args:
            now: seconds, when it is written.
        """
        key = _text(draft.key)
        if self._rows("SELECT 1 FROM rows WHERE key = ?", key):
            return None
        seq, last = self.last()
        seq += 1
        cited = [(digest(frame), _text(id), time, frame) for id, time, frame in draft.frames]
        body = canonical(_row(draft, seq, last, now, self.log))
        if len(body) > LARGEST:
            raise LedgerError(f"a row of {len(body)} bytes; the limit is {LARGEST}")
        hash = tree.leaf(body)
        values = (seq, f"AR-{seq:06d}", key, draft.kind, draft.what, _text(draft.workload), draft.finding,
                  draft.label, draft.time, now, hash, body)  # fmt: skip
        self._db.execute("INSERT INTO rows VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", values)
        self._db.executemany("INSERT INTO nodes VALUES (?,?,?)", list(tree.grown(self.node, seq - 1, hash)))
        self._db.executemany("INSERT OR IGNORE INTO records VALUES (?,?,?,?)", cited)
        self._db.executemany("INSERT OR IGNORE INTO cites VALUES (?,?)", [(c[0], seq) for c in cited])
        return f"AR-{seq:06d}"

    def put_head(self, size: int, time: int, body: bytes) -> None:
        """Keep a signed head, inside of `writing`."""
        self._db.execute("INSERT INTO heads (size, time, body) VALUES (?,?,?)", (size, time, body))

    def note(self, key: str, value: Any) -> None:
        """Keep a small value beside the rows, inside of `writing`."""
        self._db.execute("INSERT OR REPLACE INTO watch VALUES (?,?)", (_text(key), json.dumps(value)))

    def forget(self, before: float) -> tuple[int, int, int]:
        """Take the bodies of rows written before a time, and the records only they cite, inside of `writing`.

        Returns:
            The last row without a body, how many lost theirs now, and how many records went.
        """
        found = self._rows("SELECT max(seq), count(*) FROM rows WHERE written < ? AND body IS NOT NULL", before)
        last, count = found[0]
        if not count:
            return 0, 0, 0
        self._db.execute("UPDATE rows SET body = NULL WHERE seq <= ? AND body IS NOT NULL", (last,))
        self._db.execute("DELETE FROM cites WHERE seq <= ?", (last,))
        gone = self._db.execute("DELETE FROM records WHERE digest NOT IN (SELECT digest FROM cites)").rowcount
        return last, count, gone

    # reading --------------------------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """Which trail this is."""
        return self._rows("SELECT value FROM meta WHERE key = 'log'")[0][0]

    @property
    def size(self) -> int:
        """How many rows."""
        return self.last()[0]

    def last(self) -> tuple[int, str]:
        """Number and hash of the last row."""
        found = self._rows("SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1")
        return (found[0][0], found[0][1].hex()) if found else (0, NONE)

    def node(self, level: int, place: int) -> bytes:
        """Hash of a complete subtree."""
        found = self._rows("SELECT hash FROM nodes WHERE level = ? AND place = ?", level, place)
        if not found:
            raise LedgerError(f"{self.path}: the tree lacks {level}/{place}; the file was damaged, restore it")
        return found[0][0]

    def row(self, seq: int) -> Kept | None:
        """One row by its number."""
        found = self._rows("SELECT seq, id, hash, body FROM rows WHERE seq = ?", seq)
        return Kept(*found[0]) if found else None

    def latest(self, finding: str) -> Kept | None:
        """The newest row of a finding."""
        query = "SELECT seq, id, hash, body FROM rows WHERE finding = ? ORDER BY seq DESC LIMIT 1"
        found = self._rows(query, finding)
        return Kept(*found[0]) if found else None

    def of_finding(self, finding: str) -> list[Kept]:
        """Every row of a finding, oldest first."""
        found = self._rows("SELECT seq, id, hash, body FROM rows WHERE finding = ? ORDER BY seq", finding)
        return [Kept(*row) for row in found]

    def findings(self, begin: str) -> list[str]:
        """Findings whose id begins so, at most three."""
        end = begin + "\U0010ffff"
        query = "SELECT DISTINCT finding FROM rows WHERE finding >= ? AND finding < ? AND finding != '' LIMIT 3"
        return [id for (id,) in self._rows(query, begin, end)]

    def listed(self, *, kind: str = "", workload: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        """The newest rows of a kind or a workload, oldest first, without their bodies."""
        names = ("id", "seq", "kind", "what", "workload", "finding", "label", "time", "written", "hash")
        found = self._rows(
            f"SELECT {', '.join(names)} FROM rows WHERE ? IN ('', kind) AND ? IN ('', workload) ORDER BY seq DESC LIMIT ?",
            *(kind, workload, limit),
        )
        rows = [dict(zip(names, row, strict=True)) for row in reversed(found)]
        return [row | {"hash": row["hash"].hex()} for row in rows]

    def between(self, workload: str, start: float, end: float) -> list[Kept]:
        """Rows of a span of event time that speak of a workload, or of every one."""
        query = "SELECT seq, id, hash, body FROM rows WHERE workload IN (?, '') AND time BETWEEN ? AND ? ORDER BY seq"
        return [Kept(*row) for row in self._rows(query, workload, start, end)]

    def records(self, seq: int) -> dict[str, bytes]:
        """The records that a row cites, by digest."""
        query = "SELECT digest, frame FROM cites JOIN records USING (digest) WHERE seq = ? ORDER BY digest"
        return dict(self._rows(query, seq))

    def head(self, size: int | None = None) -> bytes | None:
        """The newest signed head, or the newest of a size."""
        query = "SELECT body FROM heads WHERE ?1 IS NULL OR size = ?1 ORDER BY number DESC LIMIT 1"
        found = self._rows(query, size)
        return found[0][0] if found else None

    def noted(self, key: str, default: Any = None) -> Any:
        """A small value that was kept beside the rows."""
        found = self._rows("SELECT value FROM watch WHERE key = ?", _text(key))
        return json.loads(found[0][0]) if found else default

    def _rows(self, query: str, *values: Any) -> list[tuple]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as e:
            raise passing(e) from e


# What a row's place decides; the rest is its content.
PLACED = (
    "format",
    "log",
    "id",
    "seq",
    "prev",
    "key",
    "kind",
    "what",
    "time",
    "written",
    "workload",
    "finding_id",
    "label",
)


def _row(draft: Draft, seq: int, last: str, now: float, log: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "log": log,
        "id": f"AR-{seq:06d}",
        "seq": seq,
        "prev": last,
        "key": draft.key,
        "kind": draft.kind,
        "what": draft.what,
        "time": draft.time,
        "written": now,
        "workload": draft.workload,
        "finding_id": draft.finding,
        "label": draft.label,
        **draft.content,
    }


def _text(text: str) -> str:
    return str(plain(text))


__all__ = ["PLACED", "Draft", "Kept", "Ledger", "LedgerError", "NotNow"]
