"""A recording of the live story to one of a busy machine: what one call did takes longer, and all that comes after comes later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from wire.records import Event, Record, Tick, Use, Window

TIMES = ("began", "answered", "ended", "request_ended")  # of an event's data
INTERVAL = 1.0  # seconds: a window of the sensor in the demo


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time between two moments made longer."""

    start: float  # seconds
    end: float
    takes: float

    def __call__(self, time: float) -> float:
        if time <= self.start:
            return time
        if time >= self.end:
            return time + self.takes - (self.end - self.start)
        return self.start + (time - self.start) * self.takes / (self.end - self.start)


def theft_of(records: Iterable[Record]) -> Event:
    """The MCP call that reads everything."""
    return next(
        r for r in records if isinstance(r, Event) and r.kind == "mcp" and r.data.get("arguments") == '{"query":"*"}'
    )


def slowed(records: list[Record], takes: float, behaviour: str) -> list[Record]:
    """The recording with reads that take so many seconds, told in windows as the sensor's clock would have cut them.

    Args:
        behaviour: What the reads are counted as.
    """
    read = theft_of(records)
    later = Stretch(float(read.data["began"]), float(read.data["ended"]), takes)
    made = [r for record in records for r in _slowed(record, later, behaviour, read)]
    # What ends later is told later.
    after = [r for r in made if _told(r) >= later.start]
    return [r for r in made if _told(r) < later.start] + sorted(after, key=_told)


def _told(record: Record) -> float:
    """When a record was sent, at the earliest (seconds)."""
    return next(t for n in ("received", "end", "time") if isinstance(t := getattr(record, n, None), float))


def _slowed(record: Record, later: Stretch, behaviour: str, read: Event) -> Iterator[Record]:
    if isinstance(record, Window) and record.start < later.end and later.start < record.end:
        yield from _cut(record, later, behaviour if record.replica == read.replica else "")
    else:
        yield _moved(record, later)


def _moved(record: Record, later: Stretch) -> Record:
    if isinstance(record, Event):
        times = {name: later(float(record.data[name])) for name in TIMES if name in record.data}
        return msgspec.structs.replace(record, time=later(record.time), data={**record.data, **times})
    names = [n for n in ("time", "start", "end", "received", "ended") if isinstance(getattr(record, n, None), float)]
    uses = {}
    if isinstance(record, Window):
        uses = {"uses": tuple(_dated(u, later) for u in record.uses)}
    return msgspec.structs.replace(record, **{n: later(getattr(record, n)) for n in names}, **uses)


def _dated(use: Use, later: Stretch) -> Use:
    return msgspec.structs.replace(use, first=later(use.first))


def _cut(window: Window, later: Stretch, behaviour: str) -> Iterator[Record]:
    """A window that became long, in pieces: the reads in equal parts while they lasted, all else when it began."""
    start, end = window.start, later(window.end)
    many = max(1, round((end - start) / INTERVAL))
    edges = [start + n * (end - start) / many for n in range(many)] + [end]
    reads = [n for n in range(many) if edges[n] < later(later.end) and later.start < edges[n + 1]]
    for n in range(many):
        mine = [u for use in window.uses for u in _part(_dated(use, later), n, edges, reads, behaviour)]
        yield msgspec.structs.replace(window, start=edges[n], end=edges[n + 1], uses=tuple(mine))
        yield Tick(window.replica.node, edges[n + 1])


def _part(use: Use, n: int, edges: list[float], reads: list[int], behaviour: str) -> Iterator[Use]:
    if use.behaviour == behaviour:
        if n in reads:
            at, many = reads.index(n), len(reads)
            share = {f: getattr(use, f) * (at + 1) // many - getattr(use, f) * at // many for f in COUNTS}
            yield msgspec.structs.replace(use, first=max(use.first, edges[n]), **share)
    elif edges[n] <= (use.first or edges[0]) < edges[n + 1]:
        yield use


COUNTS = ("count", "bytes_out", "bytes_in")
