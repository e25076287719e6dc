"""The body of one request to events in the journal: read, translated, joined, attributed by the kernel, kept."""

from __future__ import annotations

import json
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Protocol

from classifier.classes.known import Known
from classifier.deploys.http import Bucket
from classifier.otlp import json_mapping, protobuf
from classifier.otlp.attributes import text
from classifier.otlp.callers import SERVICE, conflicts, named, names_of
from classifier.otlp.events import Maker
from classifier.otlp.joining import Extra, Joiner, Ready
from classifier.otlp.replies import JSON, PROTOBUF, taken
from classifier.otlp.standing import Stands, changes, stands
from classifier.otlp.telemetry import Batch, Broken, TooMuch
from classifier.otlp.translating import Translated, translate
from classifier.otlp.unpacking import unpacked
from classifier.settings import OtlpLimits
from classifier.store.store import Frame, NotNow
from wire import codec
from wire.records import Event, Identity, Replica
from wire.redact import POLICIES, Redactor

REPLICAS = 4096  # whose rate is remembered
UNIT = 64 << 10  # bytes that are counted as one
LOOKS = 30.0  # seconds between looks at who fell silent
CLAIM = 200  # characters of a name that contradicts the kernel
KEPT = 4096  # characters of a text that are masked; an event holds less
READERS = {
    (JSON, "traces"): json_mapping.traces,
    (JSON, "logs"): json_mapping.logs,
    (PROTOBUF, "traces"): protobuf.traces,
    (PROTOBUF, "logs"): protobuf.logs,
}


class Sink(Protocol):
    """Where events go; `classifier.core.Core` in the daemon."""

    def accept(self, frames: Sequence[Frame]) -> int: ...
    def refuse(self, time: float, source: str, reason: str, detail: str) -> None: ...
    def names(self) -> set[str]: ...
    def told(self, view: Callable[[Known], Any]) -> Any: ...


class Refused(Exception):
    """A request that is turned away."""

    def __init__(self, http: int, reason: str):
        super().__init__(reason)
        self.http, self.reason = http, reason


class Intake:
    """Takes bodies in. What a request brought is acknowledged when it stands in the outbox, seconds before it is kept.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, sink: Sink, limits: OtlpLimits, *, clock: Callable[[], float]):
        self.counts = Counter[str]()
        self._sink, self._limits, self._clock = sink, limits, clock
        self._maker = Maker(Redactor(replace(POLICIES["pci" if limits.emails else "default"], keep=KEPT)))
        self._joiner = Joiner(wait=limits.wait, limit=limits.waiting)
        self._outbox: deque[Event] = deque()
        self._budgets: OrderedDict[Replica, Bucket] = OrderedDict()
        self._bytes: OrderedDict[Replica, Bucket] = OrderedDict()
        self._lock = threading.Lock()
        self._stands: Stands = {}
        self._looked = float("-inf")

    @property
    def full(self) -> bool:
        """Whether more events wait for the store than may."""
        return len(self._outbox) >= self._limits.unwritten

    @property
    def told(self) -> dict[str, int]:
        """Counts, for whoever asks how it goes."""
        with self._lock:
            dropped = {f"dropped: {why}": n for why, n in sorted(self._joiner.dropped.items())}
            state = {"waiting": self._joiner.waiting, "unwritten": len(self._outbox)}
            return dict(sorted(self.counts.items())) | state | dropped

    def take(self, signal: str, media: str, data: bytes, coding: str, identity: Identity | None) -> bytes:
        """Take the body of one request in; the answer to it.

        Args:
            coding: the value of `content-encoding`.
            identity: of the sender, as a sensor knows it.

        Raises:
            Refused: Nothing of it was taken.
        """
        if identity is None:
            raise Refused(403, "the sender is no workload that a sensor observes on this machine")
        now = self._clock()
        found = translate(self._batch(signal, media, data, coding, self._room(identity.replica, now)), now)
        with self._lock:
            self._enter(found, identity, now)
            self.counts.update({signal: 1, "calls": len(found.said), "other": found.other})
            self.counts.update({f"rejected: {why}": n for why, n in found.rejected.items()})
        return taken(media, signal, found.rejected.total(), "; ".join(found.rejected))

    def settle(self, *, all_of_it: bool = False) -> None:
        """What is due without a request: calls that waited long enough, who fell silent, events that could not be kept."""
        now, found = self._clock(), None
        if now >= self._looked + LOOKS:  # not under our lock: it waits for the journal's
            self._looked, found = now, self._sink.told(stands)
        with self._lock:
            if found is not None:
                self._outbox.extend(changes(self._stands, found, now))
                self._stands = found
            self._tell(self._joiner.due(float("inf") if all_of_it else self._clock()))
            self._flush()

    def _batch(self, signal: str, media: str, data: bytes, coding: str, room: Callable[[int], bool]) -> Batch:
        if coding not in ("", "identity", "gzip"):
            raise Refused(415, "content-encoding is not gzip")
        try:
            body = unpacked(data, coding, self._limits.body)
            if not room(len(body)):
                raise Refused(429, "too many bytes")
            return READERS[media, signal](body, self._limits.values if media == JSON else self._limits.fields)
        except TooMuch as e:
            raise Refused(413, str(e)) from None
        except Broken as e:
            raise Refused(400, str(e)) from None

    def _enter(self, found: Translated, identity: Identity, now: float) -> None:
        budget, others = self._budget(identity.replica), cache(self._service_names)
        for said in found.said:
            if not budget.take(now):
                found.rejected["too many calls"] += 1
                continue
            self._tell(self._joiner.take(said, identity.replica, self._extra(said.resource, identity, others), now))
        self._flush()

    def _budget(self, replica: Replica) -> Bucket:
        return _bucket(self._budgets, replica, self._limits.calls, self._limits.calls_burst)

    def _room(self, replica: Replica, now: float) -> Callable[[int], bool]:
        """Whether a replica may send a body of so many bytes: redaction and digests cost by the byte."""
        bucket = _bucket(self._bytes, replica, self._limits.bytes / UNIT, self._limits.bytes_burst / UNIT)
        return lambda size: all(bucket.take(now) for _ in range(1 + size // UNIT))

    def _service_names(self) -> set[str]:
        return set().union(*map(names_of, self._sink.names()))

    def _extra(self, resource: Any, identity: Identity, others: Callable[[], set[str]]) -> Extra:
        """What the sender calls itself, and where that contradicts the kernel."""
        against = conflicts(resource, identity, others)
        service = {"service": self._maker.label(_named(text(resource, (SERVICE,))))}
        if not against:
            return service
        self.counts["conflicts"] += 1
        claims = [[a, self._maker.label(text(resource, (a,)), CLAIM), named(a, identity)[:CLAIM]] for a in against]
        return service | {"conflict": " ".join(against), "claims": json.dumps(claims)}

    def _tell(self, ready: Iterable[Ready]) -> None:
        for one in ready:
            made = list(self._maker.events(one.said, one.replica, one.extra, one.tools))
            self.counts.update(event.kind for event in made)
            self._outbox.extend(made)

    def _flush(self) -> None:
        """Hand events to the store; what it cannot take now goes the next time."""
        if not self._outbox:
            return
        try:
            self._sink.accept([Frame(event, codec.encode(event)) for event in self._outbox])
        except NotNow:
            self.counts["not kept at once"] += 1
        else:
            self._outbox.clear()


def _named(service: str) -> str:
    """A service's name; an SDK that was given none makes one up."""
    return "" if service.startswith("unknown_service") else service


def _bucket(held: OrderedDict[Replica, Bucket], replica: Replica, rate: float, burst: float) -> Bucket:
    bucket = held.pop(replica, None) or Bucket(rate, burst)
    held[replica] = bucket
    if len(held) > REPLICAS:
        held.popitem(last=False)
    return bucket
