"""What is kept, in the order in which it was kept, for whoever writes an audit trail from it.

An entry is written in the transaction of what it tells, under a key that the same thing always gets. So a kill neither loses
an entry nor doubles it: what comes again from the journal finds its key taken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from classifier.drift.finding import Finding
from wire.records import Deploy, Event, Gap, Head, Pin, Record, Triage

KEPT = 5_000  # entries; an audit trail that is further behind has a hole, and sees it by the numbers
FINDING, RECORD = "finding", "record"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was kept."""

    seq: int  # without holes, from 1 on
    key: str
    what: str  # FINDING: `body` is its JSON; RECORD: `body` is its frame
    since: float | None  # of a Head: seconds, the node's last tick before it; None: not known
    body: bytes


def told(record: Record) -> bool:
    """Whether a record belongs into an audit trail by itself: what people laid down, refused news, spans without sight."""
    if isinstance(record, Deploy):
        return bool(record.refused)
    if isinstance(record, Event):
        return record.kind == "coverage"
    return isinstance(record, Gap | Head | Pin | Triage)


def record(db: sqlite3.Connection, seq: int, record: Record, frame: bytes, heard: Mapping[str, float]) -> None:
    """Note a record of the journal."""
    if told(record):
        since = heard.get(record.node) if isinstance(record, Head) else None
        _add(db, f"record/{seq}", RECORD, since, frame)


def finding(db: sqlite3.Connection, finding: Finding, text: str) -> None:
    """Note a version of a finding, and each of the few later looks at it that counted more."""
    _add(db, f"finding/{finding.id}/{finding.version}/{finding.count}", FINDING, None, text.encode())


def _add(db: sqlite3.Connection, key: str, what: str, since: float | None, body: bytes) -> None:
    # OR IGNORE would leave a hole in the numbers of AUTOINCREMENT; a hole must mean that something was lost.
    db.execute(
        "INSERT INTO feed (key, what, since, body) SELECT ?,?,?,? WHERE NOT EXISTS (SELECT 1 FROM feed WHERE key = ?)",
        (key, what, since, body, key),
    )


def forget(db: sqlite3.Connection) -> None:
    """Drop the oldest entries beyond the bound."""
    db.execute("DELETE FROM feed WHERE seq <= (SELECT max(seq) FROM feed) - ?", (KEPT,))


def after(rows: Callable[..., list[tuple]], seq: int, limit: int) -> list[Entry]:
    """Entries behind one, oldest first."""
    found = rows("SELECT seq, key, what, since, body FROM feed WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)
    return [Entry(*row) for row in found]
