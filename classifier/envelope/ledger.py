"""Which replica of which revision ran when and where, and when nobody was looking.

The ledger is what makes "not seen" mean something: a replica counts as one that did not show a behaviour only for the
time in which it ran and was observed without loss. It cannot be rebuilt later, so it is kept from the first window
on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from classifier.envelope.state import stored
from wire.records import Replica

GAPS = 32  # per replica; beyond it the nearest two become one, which only makes more unknown

Span = tuple[float, float]


@stored
@dataclass(slots=True)
class Exposure:
    """One replica's life as far as it was observed. Times in seconds."""

    replica: Replica
    revision: str | None
    start: float
    end: float
    ended: bool = False
    gaps: tuple[Span, ...] = ()  # sorted, apart from each other
    windows: int = 0
    lossy: int = 0  # windows that lost something

    def merged(self, other: Exposure) -> Exposure:
        """Both views of one replica's life; neither changes."""
        revision = max((r for r in (self.revision, other.revision) if r is not None), default=None)
        return Exposure(
            self.replica,
            revision,
            min(self.start, other.start),
            max(self.end, other.end),
            self.ended or other.ended,
            united((*self.gaps, *other.gaps)),
            max(self.windows, other.windows),
            max(self.lossy, other.lossy),
        )

    def seen(self, start: float, end: float) -> float:
        """Seconds between `start` and `end` in which this replica ran and was observed."""
        start, end = max(start, self.start), min(end, self.end)
        hidden = sum(max(0.0, min(e, end) - max(s, start)) for s, e in self.gaps)
        return max(0.0, end - start - hidden)

    def blind(self, start: float, end: float) -> bool:
        """Whether something could have been missed between `start` and `end`."""
        return any(s < end and e > start for s, e in self.gaps)


@stored
@dataclass(slots=True)
class Ledger:
    """Exposures of one workload, bounded; the longest gone is dropped first, and counted."""

    limit: int
    exposures: dict[Replica, Exposure] = field(default_factory=dict)
    dropped: int = 0
    # What `revisions` says, until it can have changed.
    _revisions: dict[str, float] | None = field(default=None, init=False, repr=False, compare=False)

    def extend(self, replica: Replica, revision: str | None, start: float, end: float, *, lossy: bool = False) -> None:
        """A window of this replica was observed."""
        e = self.exposures.get(replica)
        if e is None or start < e.start or (revision and revision != e.revision):
            self._revisions = None
        if e is None:
            e = self.exposures[replica] = Exposure(replica, revision, start, end)
            self._shorten()
        e.start, e.end = min(e.start, start), max(e.end, end)
        e.windows += 1
        if lossy:
            e.lossy += 1
            e.gaps = united((*e.gaps, (start, end)))
        e.revision = revision or e.revision

    def close(self, replica: Replica, time: float) -> None:
        """The replica's cgroup went at `time`."""
        if replica in self.exposures:
            e = self.exposures[replica]
            e.ended, e.end = True, max(e.end, time)

    def blind(self, node: str, start: float, end: float) -> bool:
        """Nobody looked at this node in this span; says whether a replica of ours may have run there."""
        touched = [e for e in self.exposures.values() if e.replica.node == node and not _over(e, start)]
        for e in touched:
            e.end = max(e.end, start)
            e.gaps = united((*e.gaps, (start, end)))
        return bool(touched)

    def revisions(self) -> Mapping[str, float]:
        """First sight (seconds) of every known revision, oldest first."""
        if self._revisions is not None:
            return self._revisions
        first: dict[str, float] = {}
        for e in self.exposures.values():
            if e.revision is not None:
                first[e.revision] = min(e.start, first.get(e.revision, e.start))
        self._revisions = dict(sorted(first.items(), key=lambda i: (i[1], i[0])))
        return self._revisions

    def newest(self, before: float) -> float | None:
        """When the newest revision that had begun by `before` was first seen (seconds); None if none had."""
        return max((t for t in self.revisions().values() if t <= before), default=None)

    def merge(self, other: Ledger) -> Ledger:
        """The exposures of both; neither changes."""
        out = dict(self.exposures)
        for replica, e in other.exposures.items():
            out[replica] = e.merged(out[replica]) if replica in out else e.merged(e)
        out = {r: out[r].merged(out[r]) for r in sorted(out)}
        ledger = Ledger(max(self.limit, other.limit), out, max(self.dropped, other.dropped))
        ledger._shorten()
        return ledger

    def _shorten(self) -> None:
        while len(self.exposures) > self.limit:
            oldest = min(self.exposures.values(), key=lambda e: (e.end, e.replica))
            del self.exposures[oldest.replica]
            self._revisions = None
            self.dropped += 1


def _over(e: Exposure, time: float) -> bool:
    return e.ended and e.end <= time


def union(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap or touch made one, in order.

    >>> union([(5, 6), (1, 3), (2, 4)])
    [(1, 4), (5, 6)]
    """
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The union of spans, at most `GAPS` of them.

    >>> united([(5, 6), (1, 3), (2, 4)])
    ((1, 4), (5, 6))
    """
    out = union(spans)
    while len(out) > GAPS:
        i = min(range(len(out) - 1), key=lambda i: (out[i + 1][0] - out[i][1], i))
        out[i : i + 2] = [(out[i][0], out[i + 1][1])]
    return tuple(out)
