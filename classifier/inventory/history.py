"""A stock to its history: plain records that travel as JSON and answer what was there at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from classifier.inventory.coverage import Stand
from classifier.inventory.feed import Conflict, Feed
from classifier.inventory.items import Holding, StockItem
from classifier.inventory.joining import joined
from classifier.inventory.kinds import KINDS, USE
from classifier.inventory.lives import SILENT, Life
from classifier.inventory.stock import Stock
from wire.records import Replica

Span = tuple[float, float | None]  # seconds; None: goes on


@dataclass(frozen=True)
class Held:
    """What one replica had of an item."""

    replica: str
    spans: tuple[Span, ...]
    last: float  # when it was last seen in use
    revision: str | None = None
    evidence: tuple[str, ...] = ()
    image: str = ""
    lineage: str = ""


@dataclass(frozen=True)
class Past:
    """One item, with all its spans."""

    kind: str
    name: str
    version: str
    basis: str
    version_basis: str
    place: str
    first: float
    last: float
    more: dict[str, str] = field(default_factory=dict)
    count: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    evidence: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    past: tuple[Span, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from others."""
        return self.kind, self.name, self.version, self.place


@dataclass(frozen=True)
class Run:
    """One replica, and how well it was watched."""

    replica: str
    revision: str | None
    start: float
    end: float | None
    last: float
    observed: bool
    patience: float  # seconds without a window after which nobody knows
    gaps: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Quiet:
    """A span in which a replica told nothing, though it ran."""

    replica: str
    since: float
    until: float | None
    calls: int  # that were seen meanwhile; 0: perhaps there was nothing to tell


@dataclass(frozen=True)
class Stood:
    """A process, and whether its words were read."""

    replica: str
    source: str
    pid: int
    rung: str
    reason: str
    library: str
    image: str
    since: float
    until: float | None
    evidence: str


@dataclass(frozen=True)
class Contradiction:
    """What a workload said of itself and what was seen of it; the latter is believed."""

    time: float
    what: str
    told: str
    seen: str
    by: str
    evidence: tuple[str, ...]  # ids of the event that was told and of that which was seen


@dataclass(frozen=True)
class Told:
    """The telemetry of a workload."""

    calls: int  # model calls that it told
    seen: int  # of them, seen as well
    waiting: int  # of them, may be seen yet
    conflicts: dict[str, int]  # what → how often
    recent: tuple[Contradiction, ...] = ()
    quiet: tuple[Quiet, ...] = ()


@dataclass(frozen=True)
class History:
    """All that is known of one workload's items. Times in seconds of event time."""

    workload: str
    now: float
    since: float | None  # None: it was never seen
    kept: float | None  # items that were last seen before this may be missing; None: none was dropped
    folded: float | None  # of replicas that ended before this only the items are known
    runs: tuple[Run, ...] = ()
    items: tuple[Past, ...] = ()
    full: dict[str, int] = field(default_factory=dict)  # kind → sightings without room
    feed: Told | None = None  # None: it never told anything of itself
    stood: tuple[Stood, ...] = ()
    crowded: int = 0  # processes of which it is not known, for want of room


def history(stock: Stock, workload: str, now: float, linger: float) -> History:
    """The history of a stock.

    Args:
        linger: seconds for which an item that is used now and then counts as there.
    """
    runs = tuple(_run(life) for _, life in sorted(stock.lives.items()))
    revisions = {run.replica: run.revision for run in runs}
    items = [_past(i, revisions, now, linger) for i in stock.items.values()]
    starts = [r.start for r in runs] + [i.first for i in items]
    return History(
        workload,
        now,
        min(starts, default=None),
        _finite(stock.dropped),
        _finite(stock.folded),
        runs,
        tuple(sorted(joined(items), key=lambda i: (list(KINDS).index(i.kind), i.key))),
        dict(sorted(stock.full.items())),
        _told(stock.feed),
        tuple(_stood(s) for s in stock.stands.every()),
        stock.stands.crowded,
    )


def _stood(s: Stand) -> Stood:
    return Stood(
        named(s.replica), s.source, s.pid, s.rung, s.reason, s.library, s.image, s.since, s.until, s.evidence
    )  # fmt: skip


def _told(feed: Feed) -> Told | None:
    if not feed.told and not feed.last and not feed.recent:
        return None
    recent = (Contradiction(c.time, c.what, c.told, c.seen, c.by, _both_ids(c)) for c in feed.recent)
    quiet = (Quiet(named(s.replica), s.since, s.until, s.calls) for s in feed.silences)
    conflicts = dict(sorted(feed.conflicts.items()))
    return Told(feed.told, feed.matched, len(feed.waiting), conflicts, tuple(recent), tuple(quiet))


def _both_ids(conflict: Conflict) -> tuple[str, ...]:
    return tuple(id_ for id_ in (conflict.claim, conflict.evidence) if id_)


def _run(life: Life) -> Run:
    patience = max(SILENT, 2 * life.length)
    r = life.replica
    return Run(named(r), life.revision, life.start, life.end, life.last, life.observed, patience, life.gaps)


def named(replica: Replica) -> str:
    """A replica in words."""
    return f"{replica.node}/{replica.cgroup}" + (f"/{replica.generation}" if replica.generation else "")


def _past(item: StockItem, revisions: dict[str, str | None], now: float, linger: float) -> Past:
    limit = linger if item.lasts == USE else None
    held = tuple(_held(named(r), revisions, h, now, limit) for r, h in sorted(item.held.items()))
    return Past(
        item.kind, item.name, item.version, item.basis, item.version_basis, item.place, item.first, item.last,
        dict(sorted(item.more.items())), item.count, item.bytes_out, item.bytes_in, item.evidence, held, item.past,
    )  # fmt: skip


def _held(replica: str, revisions: dict[str, str | None], h: Holding, now: float, linger: float | None) -> Held:
    spans = h.spans()
    if linger is not None and h.until is None and now > h.last + linger:
        spans = (*spans[:-1], (h.start, h.last + linger))
    return Held(replica, spans, h.last, revisions.get(replica), h.evidence, h.image, h.lineage)


def _finite(time: float) -> float | None:
    return None if time == float("-inf") else time
