"""What a trail is written from: the running classifier, or a stream that is replayed. Both answer the same questions."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from classifier.core import Core
from classifier.drift.finding import Finding, finding_to_dict
from classifier.links.reach import ran
from classifier.pipeline import Pipeline
from classifier.store.feed import FINDING, RECORD, Entry, told
from guard.audit.situation import situation
from wire import codec
from wire.records import Event, Head, Record, Replica, Tick

LATELY = 50_000  # events of a replayed stream in which a finding's story is looked for


class Source(Protocol):
    """Whoever knows what was kept, in order, and what stood around it."""

    def fed(self, after: int, limit: int) -> list[Entry]: ...
    def fed_until(self, seq: int) -> None: ...
    def event(self, id: str) -> Event | None: ...
    def told_between(
        self, replica: Replica, start: float, end: float, limit: int, *, latest: bool = False
    ) -> list[Event]: ...
    def replicas(self, workload: str, start: float, end: float) -> list[Replica]: ...
    def owner(self, event: Event) -> str: ...
    def situation(self, workload: str, at: float) -> dict[str, Any]: ...


class Live:
    """A running classifier."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.fed, self.fed_until = core.fed, core.fed_until
        self.event, self.told_between, self.heard = core.event, core.told_between, core.heard

    def owner(self, event: Event) -> str:
        """Whose a record is; "" where nobody has said so."""
        return next((i.workload or "" for i in self._core.seen(event.replica.cgroup) if i.replica == event.replica), "")

    def replicas(self, workload: str, start: float, end: float) -> list[Replica]:
        """What ran of a workload in a span."""
        return self._core.ran(workload, start, end)

    def situation(self, workload: str, at: float) -> dict[str, Any]:
        """What holds for a workload."""
        return self._core.told(lambda known: situation(known, workload, at))


class Replayed:
    """A stream through a pipeline; every record is fed by `take`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.now = 0.0  # seconds, event time
        self._entries: deque[Entry] = deque()
        self._keys: set[str] = set()
        self._seq = self._number = 0
        self._events: dict[str, Event] = {}
        self._lately: deque[Event] = deque(maxlen=LATELY)
        self._heard: dict[str, float] = {}

    def take(self, record: Record) -> None:
        """Feed a record; what belongs into a trail can be asked for then."""
        self._number += 1
        if told(record):
            since = self._heard.get(record.node) if isinstance(record, Head) else None
            self._note(f"record/{self._number}", RECORD, since, codec.encode(record))
        if isinstance(record, Event):
            self._events[record.id] = record
            self._lately.append(record)
        elif isinstance(record, Tick):
            self._heard[record.node] = record.time
        self.now = max(self.now, getattr(record, "end", None) or getattr(record, "time", 0.0))
        for finding in self.pipeline.feed(record):
            self._find(finding)

    def _find(self, finding: Finding) -> None:
        text = json.dumps(finding_to_dict(finding), sort_keys=True, ensure_ascii=False, allow_nan=False)
        self._note(f"finding/{finding.id}/{finding.version}/{finding.count}", FINDING, None, text.encode())

    def _note(self, key: str, what: str, since: float | None, body: bytes) -> None:
        if key not in self._keys:
            self._keys.add(key)
            self._seq += 1
            self._entries.append(Entry(self._seq, key, what, since, body))

    @property
    def waiting(self) -> bool:
        """Whether there is something to be written."""
        return bool(self._entries)

    def fed(self, after: int, limit: int) -> list[Entry]:
        """Entries behind one, oldest first."""
        return [e for e in self._entries if e.seq > after][:limit]

    def fed_until(self, seq: int) -> None:
        """Everything up to here is written."""
        while self._entries and self._entries[0].seq <= seq:
            self._entries.popleft()

    def event(self, id: str) -> Event | None:
        """The event of an id."""
        return self._events.get(id)

    def told_between(
        self, replica: Replica, start: float, end: float, limit: int, *, latest: bool = False
    ) -> list[Event]:
        """Events of a replica in a span, by time; the first so many, or the last."""
        found = [e for e in self._lately if start <= e.time <= end and e.replica == replica]
        found.sort(key=lambda e: (e.time, e.id))
        return found[-limit:] if latest else found[:limit]

    def replicas(self, workload: str, start: float, end: float) -> list[Replica]:
        """What ran of a workload in a span."""
        return ran(self.pipeline.known(), workload, start, end)

    def owner(self, event: Event) -> str:
        """Whose a record is."""
        known = self.pipeline.seen(event.replica.cgroup)
        return next((i.workload or "" for i in known if i.replica == event.replica), "")

    def situation(self, workload: str, at: float) -> dict[str, Any]:
        """What held for a workload at this point of the stream."""
        return situation(self.pipeline.known(), workload, at)


def frames(events: Iterable[Event]) -> Iterator[tuple[str, float, bytes]]:
    """Events as a trail keeps them."""
    for event in events:
        yield event.id, event.time, codec.encode(event)
