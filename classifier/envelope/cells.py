"""What one replica showed of one behaviour: the smallest thing an envelope counts, and the thing that is merged.

A cell has one writer (one replica, seen by one sensor start), and every field of it only grows or only shrinks. Two
copies of it merge by taking the later of each field, so deltas may come twice and in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from classifier.envelope.state import stored
from classifier.envelope.volume import Histogram, highest, larger, packed, pooled, unpacked
from wire.records import Replica, Use, Window

DAYS = 64  # latest active days kept per cell and item
LINEAGES = 16  # per behaviour
NO_LIMIT = 1 << 62  # bytes

LaneKey = tuple[Replica, str]  # replica, sensor epoch


@stored
@dataclass(slots=True)
class Cell:
    """Counts of one behaviour. Times in seconds, hours and days in numbers since the epoch."""

    first: float
    last: float
    count: int = 0
    windows: int = 0
    hour: int = -1
    days: frozenset[int] = frozenset()
    week: int = 0  # bit per hour of the week in which it was seen
    out: Histogram | None = None  # windows by their bytes, since these were last packed
    into: Histogram | None = None
    lineages: frozenset[str] = frozenset()
    folded: int = 0  # replicas whose cells were added up here; 0 in a cell of one replica
    limit_out: int = NO_LIMIT  # bytes a window; beyond it the window is looked at
    limit_in: int = NO_LIMIT
    guarded: bool = False  # every use is looked at
    past_out: bytes = b""  # windows by their bytes, packed
    past_in: bytes = b""

    def sent(self) -> Histogram:
        """All windows by bytes out."""
        return pooled((unpacked(self.past_out), self.out or {}))

    def got(self) -> Histogram:
        """All windows by bytes in."""
        return pooled((unpacked(self.past_in), self.into or {}))

    @property
    def moves(self) -> bool:
        """Whether it ever moved a byte."""
        return bool(self.past_out or self.past_in or self.out or self.into)

    def largest(self) -> tuple[int, int]:
        """The largest buckets of bytes out and in; -1 where there is none."""
        return (
            max(highest(self.past_out), max(self.out or (-1,))),
            max(highest(self.past_in), max(self.into or (-1,))),
        )

    def count_out(self, place: int) -> None:
        """One more window with bytes out in this bucket."""
        if self.out is None:
            self.out = {}
        self.out[place] = self.out.get(place, 0) + 1

    def count_in(self, place: int) -> None:
        """One more window with bytes in in this bucket."""
        if self.into is None:
            self.into = {}
        self.into[place] = self.into.get(place, 0) + 1

    def merged(self, other: Cell) -> Cell:
        """The later state of the same cell; neither changes. Limits are the reader's own and start anew."""
        return Cell(
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.count, other.count),
            max(self.windows, other.windows),
            max(self.hour, other.hour),
            latest(self.days | other.days),
            self.week | other.week,
            larger(self.sent(), other.sent()),
            larger(self.got(), other.got()),
            smallest(self.lineages | other.lineages),
            max(self.folded, other.folded),
        )

    def add(self, other: Cell) -> None:
        """Count another replica's cell here (folding)."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.count += other.count
        self.windows += other.windows
        self.days = latest(self.days | other.days)
        self.week |= other.week
        self.lineages = smallest(self.lineages | other.lineages)
        self.folded += max(1, other.folded)
        self.past_out = packed(pooled((self.sent(), other.sent())))
        self.past_in = packed(pooled((self.got(), other.got())))
        self.out = self.into = None


@stored
@dataclass(slots=True)
class Lane:
    """All cells of one replica in one sensor epoch, or of the folded replicas of one revision on one node."""

    replica: Replica
    epoch: str
    revision: str | None
    cells: Mapping[str, Cell] = field(default_factory=dict)  # a dict, unless the replica has ended (`rested`)
    last: float = 0.0  # seconds, end of its last window
    calls: frozenset[int] = frozenset()  # numbers of ordinary system calls
    hour: int = -1  # of its last window
    # Cells seen in this hour that nothing needs to look at again; follows from the others, so no snapshot holds it.
    hot: dict[str, Cell] | None = field(default=None, init=False, repr=False, compare=False)
    latest: int | None = field(default=None, init=False, repr=False, compare=False)  # hour that was ever warm here
    # System calls made on this day; those of earlier ones are looked at again, for the days they come on.
    day: int | None = field(default=None, init=False, repr=False, compare=False)
    today: frozenset[int] = field(default=frozenset(), init=False, repr=False, compare=False)

    def warm(self, hour: int, day: int) -> dict[str, Cell]:
        """The cells that only need counting in this hour."""
        known = self.latest is None or hour <= self.latest  # of a later hour there are none yet
        self.hour, self.latest = hour, hour if self.latest is None else max(hour, self.latest)
        if self.day != day:
            self.day, self.today = day, frozenset()
        self.hot = {b: c for b, c in self.cells.items() if c.hour == hour and not c.guarded} if known else {}
        return self.hot

    def merged(self, other: Lane) -> Lane:
        """The later state of the same lane; neither changes."""
        names = sorted(self.cells.keys() | other.cells.keys())
        cells = {b: _later(self.cells.get(b), other.cells.get(b)) for b in names}
        revision = max((r for r in (self.revision, other.revision) if r is not None), default=None)
        return Lane(self.replica, self.epoch, revision, cells, max(self.last, other.last), self.calls | other.calls)


def _later(one: Cell | None, two: Cell | None) -> Cell:
    known = [c for c in (one, two) if c is not None]
    return known[0].merged(known[-1])


def latest(days: Set[int]) -> frozenset[int]:
    """At most the `DAYS` last of some days."""
    return frozenset(days if len(days) <= DAYS else sorted(days)[-DAYS:])


def smallest(names: Set[str]) -> frozenset[str]:
    """At most the `LINEAGES` first of some names in the alphabet: a bound that any order of merging reaches alike."""
    return frozenset(names if len(names) <= LINEAGES else sorted(names)[:LINEAGES])


def count_known(window: Window, hot: dict[str, Cell]) -> list[Use]:
    """Count the uses of known behaviours; returns those that want a look. The hot path: one use in 0.2 to 0.4 µs.

    Lineage, day and hour were noted when the behaviour was first seen in this hour. The buckets are those of
    `volume.bucket`, in line.
    """
    strange, end = [], window.end
    for use in window.uses:
        cell = hot.get(use.behaviour)
        if cell is None:
            strange.append(use)
            continue
        out, into = use.bytes_out, use.bytes_in
        if out or into:
            if out > cell.limit_out or into > cell.limit_in:
                strange.append(use)
                continue
            if out:
                n = out.bit_length()
                n = out if n <= 5 else (n << 4) | ((out >> (n - 5)) & 15)
                try:
                    cell.out[n] += 1
                except (KeyError, TypeError):  # first value of this size since it was packed
                    cell.count_out(n)
            if into:
                n = into.bit_length()
                n = into if n <= 5 else (n << 4) | ((into >> (n - 5)) & 15)
                try:
                    cell.into[n] += 1
                except (KeyError, TypeError):
                    cell.count_in(n)
        cell.count += use.count
        cell.windows += 1
        cell.last = end
    return strange
