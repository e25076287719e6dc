"""A stock to its history: plain records that travel as JSON and answer what was there at any moment.

Code of a package is opened without a version, and the version is read beside it; a tool server is started under a name
and says a version of its own. Here the two become one item, replica by replica.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from classifier.inventory.content import EDITED
from classifier.inventory.coverage import Stand
from classifier.inventory.feed import Conflict, Feed
from classifier.inventory.items import EVIDENCE, OWN, Holding, StockItem, added
from classifier.inventory.kinds import INFERRED, KINDS, PACKAGES, UNKNOWN, USE, VERIFIED
from classifier.inventory.lives import SILENT, Life
from classifier.inventory.servers import stem
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


def joined(items: Iterable[Past]) -> list[Past]:
    """Items of which two records show a half each made one."""
    better: dict[tuple[str, ...], list[Past]] = {}
    halves, out = [], []
    for item in items:
        meeting = _meeting(item)
        if meeting is None:
            out.append(item)
        elif _is_half(item):
            halves.append(item)
        else:
            better.setdefault(meeting, []).append(item)
    for half in halves:
        group = better.get(_meeting(half) or (), [])
        if half.kind in EDITED:
            better[_meeting(half) or ()], half = edited(half, group)
            group = []
        for number, whole in enumerate(group):
            group[number], half = _both(whole, half)
        if half.held or half.past:
            out.append(half)
    return out + [whole for group in better.values() for whole in group]


def _meeting(item: Past) -> tuple[str, ...] | None:
    """What two halves of an item share; None where there are none."""
    if item.kind in (*PACKAGES, *EDITED):
        return item.kind, item.name, item.place
    if item.kind == "mcp" and item.more.get("transport") == "stdio":
        return item.kind, stem(item.name)
    return None


def _is_half(item: Past) -> bool:
    """Code without its version, a start without what the server said."""
    return item.version == UNKNOWN if item.kind in (*PACKAGES, *EDITED) else item.basis == INFERRED


def edited(half: Past, versions: list[Past]) -> tuple[list[Past], Past]:
    """A file that was open, and what stood in it when: each version while it was, and the file where none is known.

    The first version holds since the file was opened: it is read moments later.
    """
    first: dict[str, float] = {}
    for h in (h for v in versions for h in v.held):
        first[h.replica] = min(h.spans[0][0], first.get(h.replica, h.spans[0][0]))
    opened = {h.replica: h for h in half.held if h.replica in first}
    out = []
    for version in versions:
        held = [_while_open(h, opened[h.replica], first[h.replica]) for h in version.held if h.replica in opened]
        held += [h for h in version.held if h.replica not in opened]
        kept = tuple(h for h in held if h.spans)
        if kept or version.past:
            starts = [h.spans[0][0] for h in kept] + [s for s, _ in version.past]
            out.append(replace(version, held=kept, first=min(starts), more=half.more | version.more))
    left = tuple(h for h in half.held if h.replica not in opened)
    return out, replace(half, held=left, past=half.past if left or not out else ())


def _while_open(version: Held, file: Held, first: float) -> Held:
    """The spans of a version in which the file was open; its first one begins with it."""
    opened = file.spans[0][0]
    mine = [(min(s, opened) if s == first else s, e) for s, e in version.spans]
    spans = [cut for a in mine for b in file.spans if (cut := _common(a, b)) is not None]
    return replace(version, spans=tuple(spans), evidence=added(file.evidence[:1], version.evidence, OWN))


def _common(a: Span, b: Span) -> Span | None:
    """What two spans share."""
    ends = [e for e in (a[1], b[1]) if e is not None]
    start, end = max(a[0], b[0]), min(ends, default=None)
    return (start, end) if end is None or start < end else None


def _both(known: Past, code: Past) -> tuple[Past, Past]:
    """A version with the code of the replicas that read it, and the code that is left."""
    own = {h.replica for h in known.held}
    mine = {h.replica: h for h in code.held if h.replica in own}
    if not mine and (code.held or not known.past):
        return known, code
    held = tuple(_opened(h, mine[h.replica]) if h.replica in mine else h for h in known.held)
    left = tuple(h for h in code.held if h.replica not in mine)
    both = replace(
        known,
        basis=VERIFIED,
        more=code.more | known.more,
        first=min([known.first, *(h.spans[0][0] for h in mine.values())]),
        last=max(known.last, code.last),
        count=known.count + code.count,
        evidence=added(known.evidence, code.evidence, EVIDENCE),
        held=held,
    )
    return both, replace(code, held=left, past=code.past if left else ())


def _opened(version: Held, code: Held) -> Held:
    """It is there while the code is, whenever its version was read."""
    return replace(version, spans=code.spans, evidence=added(version.evidence[:1], code.evidence, OWN))


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
