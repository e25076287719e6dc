"""What the classifier keeps: accepted frames until a snapshot covers them, findings, evidence, deploy events.

A frame is accepted when the transaction that holds it has reached the disk. After a kill the state is the last
snapshot, then every later frame of the journal in order of `seq`; both are written so that they always fit together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from classifier.drift.finding import Finding, finding_to_dict
from classifier.settings import Retention
from classifier.store import feed
from classifier.store.database import Database, NotNow, StoreError
from classifier.store.feed import Entry
from classifier.store.packed import packed, unpacked
from wire import codec
from wire.records import Deploy, Event, Record, Replica, Tick

__all__ = ["Accepted", "NotNow", "Snapshot", "Store", "StoreError"]

PAGE = 500  # frames of the journal in memory at once
ASIDE = 3  # snapshots that could not be read and are kept for a look
NUMBERINGS = 4096  # starts of senders that are remembered


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame with its place in its sender's numbering; number 0 has none and is always new."""

    record: Record
    data: bytes
    node: str = ""
    epoch: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record and its place in the journal."""

    seq: int
    record: Record


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The pipeline's state after the frame `seq`."""

    seq: int
    state: bytes


class Store:
    """The database of one classifier. Methods that write raise `NotNow` when they could not, and changed nothing."""

    def __init__(self, path: Path, retention: Retention):
        self._retention = retention
        self.database = Database(path, max_bytes=retention.max_bytes)
        numbers = self.database.rows("SELECT node, epoch, number FROM numberings")
        self._numbers = {(node, epoch): number for node, epoch, number in numbers}
        self.heard: dict[str, float] = {}  # node → seconds, its latest tick since this start

    # accepting ------------------------------------------------------------------------------------------------------

    def known(self, node: str, epoch: str) -> int:
        """The last number of a numbering that is kept; 0 for a new one."""
        return self._numbers.get((node, epoch), 0)

    def accept(self, frames: Iterable[Frame]) -> list[Accepted]:
        """Keep what is new, in order, in one transaction.

        Raises:
            NotNow: Nothing was kept; the sender must keep it.
        """
        fresh, numbers = self._fresh(frames)
        if not fresh:
            return []
        accepted, heard = [], dict(self.heard)
        with self.database.writing() as db:
            for frame in fresh:
                event = frame.record if isinstance(frame.record, Event) else None
                row = (frame.node, frame.epoch, frame.number, event and event.id, event and event.time, frame.data)
                added = db.execute(
                    "INSERT INTO journal (node, epoch, number, event, time, frame) VALUES (?,?,?,?,?,?)", row
                )
                accepted.append(Accepted(int(added.lastrowid or 0), frame.record))
                feed.record(db, accepted[-1].seq, frame.record, frame.data, heard)
                if isinstance(frame.record, Tick):
                    heard[frame.record.node] = max(frame.record.time, heard.get(frame.record.node, 0.0))
                if isinstance(frame.record, Deploy) and not frame.record.refused:
                    d = frame.record
                    db.execute("INSERT OR IGNORE INTO deploys VALUES (?,?,?,?)", (d.id, d.time, d.workload, frame.data))
            last = accepted[-1].seq
            named = [(*name, number, last) for name, number in numbers.items()]
            db.executemany("INSERT OR REPLACE INTO numberings VALUES (?,?,?,?)", named)
        self._numbers |= numbers
        self.heard = heard
        return accepted

    def _fresh(self, frames: Iterable[Frame]) -> tuple[list[Frame], dict[tuple[str, str], int]]:
        fresh, numbers = [], {}
        for frame in frames:
            name = frame.node, frame.epoch
            if frame.number and frame.number <= numbers.get(name, self.known(*name)):
                continue
            if frame.number:
                numbers[name] = frame.number
            fresh.append(frame)
        return fresh, numbers

    def has_deploy(self, id: str) -> bool:
        """Whether an event of this id was accepted."""
        return bool(self.database.rows("SELECT 1 FROM deploys WHERE id = ?", id))

    # snapshots and restart ------------------------------------------------------------------------------------------

    def snapshot(self, seq: int, state: bytes, findings: Sequence[Finding], *, now: float) -> None:
        """Let a state stand in for the journal up to `seq`, keep its evidence and findings, and forget what is old.

        Args:
            now: event time in seconds, from which ages count.
        """
        state_packed = packed(state)
        with self.database.writing() as db:
            # Delete before insert: in a database at its limit the freed pages are the room for what follows.
            db.execute("DELETE FROM snapshot WHERE id = 0")
            db.execute(
                "INSERT OR IGNORE INTO events SELECT event, time, frame FROM journal"
                " WHERE event IS NOT NULL AND seq <= ?",
                (seq,),
            )
            db.execute("DELETE FROM journal WHERE seq <= ?", (seq,))
            self._forget(db, now)
            db.execute("INSERT INTO snapshot VALUES (0, ?, NULL, ?)", (seq, state_packed))
            _keep(db, findings)
        known = self.database.rows("SELECT node, epoch FROM numberings")
        self._numbers = {(node, epoch): self._numbers[node, epoch] for node, epoch in known}

    def _forget(self, db, now: float) -> None:
        keep = self._retention
        db.execute("DELETE FROM events WHERE time < ?", (now - keep.event_age,))
        db.execute(
            "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY time, id"
            " LIMIT max(0, (SELECT count(*) FROM events) - ?))",
            (keep.event_rows,),
        )
        feed.forget(db)
        db.execute("DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?", (keep.refusals,))
        db.execute(
            "DELETE FROM numberings WHERE (node, epoch) IN"
            " (SELECT node, epoch FROM numberings ORDER BY seq DESC LIMIT -1 OFFSET ?)",
            (NUMBERINGS,),
        )

    def last_snapshot(self) -> Snapshot | None:
        """The state that stands in for the journal's beginning."""
        found = self.database.rows("SELECT seq, state FROM snapshot WHERE id = 0")
        return Snapshot(found[0][0], unpacked(found[0][1])) if found else None

    def put_aside(self, why: str) -> None:
        """Keep a snapshot that cannot be read for a look, and go on without it."""
        with self.database.writing() as db:
            db.execute(
                "INSERT INTO snapshot SELECT (SELECT max(id) FROM snapshot) + 1, seq, ?, state FROM snapshot"
                " WHERE id = 0",
                (why,),
            )
            db.execute("DELETE FROM snapshot WHERE id = 0")
            db.execute("DELETE FROM snapshot WHERE id > 0 AND id <= (SELECT max(id) FROM snapshot) - ?", (ASIDE,))

    def after(self, seq: int) -> Iterator[Accepted]:
        """The journal behind a frame, oldest first.

        Raises:
            StoreError: A frame cannot be read, which only a newer driftline or a damaged disk can bring about.
        """
        while page := self.database.rows(
            "SELECT seq, frame FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", seq, PAGE
        ):
            for seq, frame in page:
                yield Accepted(seq, self._decoded(seq, frame))

    def _decoded(self, seq: int, frame: bytes) -> Record:
        try:
            return codec.decode(frame)
        except (codec.FrameError, KeyError) as e:
            raise StoreError(f"{self.database.path}: journal row {seq}: {e}; update, or move the file away") from e

    # results --------------------------------------------------------------------------------------------------------

    def keep_findings(self, findings: Sequence[Finding]) -> None:
        """Keep versions of findings; a version that comes again replaces itself."""
        if findings:
            with self.database.writing() as db:
                _keep(db, findings)

    def versions(self, id: str) -> list[dict]:
        """Every version of a finding, oldest first."""
        found = self.database.rows("SELECT json FROM findings WHERE id = ? ORDER BY version", id)
        return [json.loads(text) for (text,) in found]

    def fed(self, after: int, limit: int) -> list[Entry]:
        """What an audit trail is written from, behind a place in its order, oldest first."""
        return feed.after(self.database.rows, after, limit)

    def fed_until(self, seq: int) -> None:
        """An audit trail holds everything up to here; the numbers go on."""
        with self.database.writing() as db:
            db.execute("DELETE FROM feed WHERE seq <= ?", (seq,))

    def told_between(
        self, replica: Replica, start: float, end: float, limit: int, *, latest: bool = False
    ) -> list[Event]:
        """Events of a replica in a span (seconds), by time, as far as they are still kept.

        Args:
            latest: where there are more than `limit`, the last so many instead of the first.
        """
        whose = msgspec.msgpack.encode(replica)  # as it stands in a frame: sought there, since decoding all takes long
        rows = self.database.rows(
            "SELECT time, frame FROM events WHERE time BETWEEN ? AND ? AND instr(frame, ?)"
            " UNION ALL SELECT time, frame FROM journal WHERE event IS NOT NULL AND time BETWEEN ? AND ? AND instr(frame, ?)"
            f" ORDER BY time {'DESC' if latest else ''} LIMIT ?",
            *(start, end, whose, start, end, whose, limit),
        )
        found = (codec.decode(frame) for _, frame in (reversed(rows) if latest else rows))
        return [e for e in found if isinstance(e, Event) and e.replica == replica]

    def event(self, id: str) -> Event | None:
        """The evidence of this id; None if there is none or it is past its time."""
        for table, column in (("events", "id"), ("journal", "event")):
            found = self.database.rows(f"SELECT frame FROM {table} WHERE {column} = ? LIMIT 1", id)
            if found and isinstance(event := codec.decode(found[0][0]), Event):
                return event
        return None

    def refuse(self, time: float, source: str, reason: str, detail: str) -> None:
        """Note something that was turned away."""
        with self.database.writing() as db:
            db.execute(
                "INSERT INTO refusals (time, source, reason, detail) VALUES (?,?,?,?)",
                (time, source, reason, detail[:500]),
            )

    # small things ---------------------------------------------------------------------------------------------------

    def note(self, key: str, value: object) -> None:
        """Keep a small value under a name."""
        with self.database.writing() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def noted(self, key: str, default: object = None) -> object:
        """The value under a name."""
        found = self.database.rows("SELECT value FROM meta WHERE key = ?", key)
        return json.loads(found[0][0]) if found else default

    def sizes(self) -> dict[str, int]:
        """Rows by table and bytes of the file, for metrics."""
        tables = ("journal", "findings", "events", "deploys", "refusals")
        sizes = {table: self.database.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}
        (pages,), (page,) = (
            self.database.rows("SELECT * FROM pragma_page_count()")[0],
            self.database.rows("PRAGMA page_size")[0],
        )
        return sizes | {"bytes": pages * page}

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def _keep(db, findings: Iterable[Finding]) -> None:
    for finding in findings:
        text = json.dumps(finding_to_dict(finding), sort_keys=True, ensure_ascii=False, allow_nan=False)
        row = finding.id, finding.version, finding.workload, finding.label, text
        db.execute("INSERT OR REPLACE INTO findings VALUES (?,?,?,?,?)", row)
        feed.finding(db, finding, text)
