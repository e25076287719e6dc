"""The feed of a classifier to rows of a trail: in its order, each thing once, whenever it is killed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from classifier.links.road import road
from classifier.store.feed import FINDING, Entry
from guard.audit import notices
from guard.audit.account import account
from guard.audit.ledger import PLACED, Draft, Ledger, NotNow
from guard.audit.seal import due, seal
from guard.audit.sources import Source, frames
from guard.audit.watch import Watch
from wire import codec
from wire.records import Event, Head, Pin, Triage

BATCH = 100  # entries of one transaction
FED = "fed"  # where the writer is in the feed
DAY = 86_400.0  # seconds
LEAST = 92.0  # days
RETAINED = "retained"


class Writer:
    """Writes one trail.

    Args:
        days: For how long bodies of rows and the records they cite are kept.
        mode: "live" or "replay", as rows say it.
    """

    def __init__(
        self, ledger: Ledger, key: Ed25519PrivateKey, source: Source, *, days: float = 400.0, mode: str = "live"
    ):
        if days < LEAST:
            raise ValueError(f"audit rows are kept for at least {LEAST:g} days, not {days:g}")
        self.ledger, self._key, self._source, self._days, self._mode = ledger, key, source, days, mode
        self._watch = Watch(ledger)

    def turn(self, now: float) -> int:
        """Write what the feed holds, sign a head where one is due; how many rows that were.

        Args:
            now: seconds; live the clock's, in a replay the stream's.
        Raises:
            NotNow: Nothing was written; it is still in the feed.
        """
        before, written = self.ledger.size, 0
        while self._batch(now):
            written += 1
        if written == 0 and due(self.ledger, now):
            with self.ledger.writing():
                seal(self.ledger, self._key, now)
        return self.ledger.size - before

    def _batch(self, now: float) -> bool:
        done = int(self.ledger.noted(FED, 0))
        entries = self._source.fed(done, BATCH)
        if not entries:
            return False
        with self.ledger.writing():
            if entries[0].seq > done + 1:
                self._add(notices.hole(done + 1, entries[0].seq - 1, now), now)
            for entry in entries:
                self._write(entry, now)
            self.ledger.note(FED, entries[-1].seq)
            if due(self.ledger, now):
                seal(self.ledger, self._key, now)
        self._source.fed_until(entries[-1].seq)
        return True

    def silence(self, heard: Mapping[str, float], now: float, patience: float) -> None:
        """Say which nodes have not been heard of for `patience` seconds, and which are heard of again."""
        known = self._watch.heard(heard, now)
        drafts = self._watch.silent(known, now, patience)
        if not drafts and not self._watch.stale(known):
            return
        with self.ledger.writing():
            self._watch.remember(known)
            for draft in drafts:
                self._watch.fell(draft)
                self._add(draft, now)
            if due(self.ledger, now):
                seal(self.ledger, self._key, now)

    def enter(self, draft: Draft, now: float) -> str:
        """Write a row that comes from no feed, on the disk when this returns; its id.

        Raises:
            NotNow: It was not written.
        """
        with self.ledger.writing():
            id = self._add(draft, now)
            if id is None:
                raise NotNow(f"a row {draft.key} is there already")
            seal(self.ledger, self._key, now)
        return id

    def retain(self, now: float) -> None:
        """Once a day, let go of what is past its time, and say so."""
        today = int(now // DAY)
        if self.ledger.noted(RETAINED) == today:
            return
        with self.ledger.writing():
            last, rows, records = self.ledger.forget(now - self._days * DAY)
            if rows:
                self._add(notices.retention(last, rows, records, self._days, now), now)
                seal(self.ledger, self._key, now)
            self.ledger.note(RETAINED, today)

    def unanswered(self, now: float, within: float) -> None:
        """Say of open findings that nobody has decided about them within so many seconds."""
        late = self._watch.overdue(now - within)
        if not late:
            return
        with self.ledger.writing():
            for id in late:
                before = self.ledger.latest(id)
                if before is not None and before.body is not None:
                    self._add(_again(before.value, self.ledger.records(before.seq), now), now)
            self._watch.told(late)
            seal(self.ledger, self._key, now)

    # one entry --------------------------------------------------------------------------------------------------------

    def _write(self, entry: Entry, now: float) -> None:
        try:
            self._told(entry, now)
        except (NotNow, sqlite3.Error):
            raise
        except Exception as e:
            # One entry that cannot be told must not end the trail; what it was stays beside the row that says so.
            self._add(notices.untold(entry.key, entry.body, f"{type(e).__name__}: {e}"[:200], now), now)

    def _told(self, entry: Entry, now: float) -> None:
        if entry.what == FINDING:
            self._add(self._finding(entry.key, json.loads(entry.body)), now)
            return
        record = codec.decode(entry.body)
        if isinstance(record, Triage | Pin):
            self._watch.decided(record)
        if isinstance(record, Triage):
            return  # the version of the finding that it brings tells it
        if isinstance(record, Head):
            draft = self._watch.started(record, entry.since)
        elif isinstance(record, Event):
            draft = self._watch.covered(record, self._source.owner(record))
        else:
            draft = notices.of(record, entry.key)
        if draft is not None:
            self._add(draft, now)

    def _add(self, draft: Draft, now: float) -> str | None:
        draft.content.setdefault("mode", self._mode)
        return self.ledger.add(draft, now=now)

    def _finding(self, key: str, finding: dict[str, Any]) -> Draft:
        """The row of one version of a finding."""
        workload, responses = finding["workload"], self._watch.responses(finding)
        source = self._source
        content, cited = account(
            finding,
            *road(finding, source.told_between, source.event, source.replicas),
            situation=source.situation(workload, finding["updated"]),
            responses=responses,
            probes=self._watch.probes(),
            rungs=self._watch.rungs(workload),
        )
        self._watch.waits(finding, bool(responses))
        before = self.ledger.latest(finding["id"])
        content["before"] = before.id if before is not None else ""
        return Draft(
            key=key,
            kind="finding",
            what=_what(finding, before.value if before is not None else None),
            time=finding["updated"],
            content=content,
            workload=workload,
            finding=finding["id"],
            label=finding["label"],
            frames=tuple(frames(cited)),
        )


def _again(row: dict[str, Any], records: Mapping[str, bytes], now: float) -> Draft:
    """The newest row of a finding once more, as one that nobody has answered."""
    content = {name: value for name, value in row.items() if name not in PLACED}
    content |= {"response_state": "unanswered", "before": row["id"]}
    named = ((r["id"], r["time"], records[r["digest"]]) for r in row["records"] if r["digest"] in records)
    return Draft(f"finding/{row['finding_id']}/unanswered", "finding", "unanswered", now, content, row["workload"],
                 row["finding_id"], row["label"], tuple(named))  # fmt: skip


def _what(finding: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """What a version of a finding brings."""
    if before is None:
        return "opened"
    last = before.get("finding") or {}
    history = finding.get("history") or ()
    if finding["version"] != last.get("version") and history and " decided " in str(history[-1].get("because")):
        return "triaged"
    if finding["state"] != last.get("state", "open"):
        return "closed"
    if finding["label"] != before.get("label"):
        return "label_changed"
    return "revised" if finding["version"] != last.get("version") else "counted"
