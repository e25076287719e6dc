"""From cells to what the envelope says of one behaviour: provisional, quarantined, admitted, dormant, retired.

``MOVES`` is the whole life of an item. Only coverage (days and replicas), a person or an authenticated deploy event
admits; the passing of time alone never does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from classifier.envelope import schedule, volume
from classifier.envelope.cells import NO_LIMIT, Cell, latest
from classifier.envelope.shared import Shared
from classifier.envelope.state import stored
from classifier.policy import Policy
from wire.records import Replica

PROVISIONAL, ADMITTED, DORMANT, RETIRED = "provisional", "admitted", "dormant", "retired"
QUARANTINED = "quarantined"
MOVES = {  # (state, what happened) → state
    (PROVISIONAL, "covered"): ADMITTED,
    (PROVISIONAL, "accepted"): ADMITTED,
    (PROVISIONAL, "unseen"): DORMANT,
    (PROVISIONAL, "suspected"): QUARANTINED,
    (QUARANTINED, "confirmed"): PROVISIONAL,
    (QUARANTINED, "accepted"): ADMITTED,
    (QUARANTINED, "unseen"): DORMANT,
    (ADMITTED, "accepted"): ADMITTED,
    (ADMITTED, "unseen"): DORMANT,
    (DORMANT, "accepted"): ADMITTED,
    (DORMANT, "seen"): PROVISIONAL,
    (DORMANT, "forgotten"): RETIRED,
}
LOOK = 0.998  # share of windows whose bytes need no look at the bounds, save once an hour
WHO = 16  # replicas kept by name: one that keeps coming back must not look like many
RARE_HOURS = 8  # hours of the week; a behaviour seen in more of them has no schedule
SCHEDULE_DAYS = 14  # days that its sights must span before a schedule is believed
MANY = 24  # sizes of windows that a cell counts before they are packed
IDLE_HOURS = 4  # its workload must have been active in so many times as many hours of the week


@stored
@dataclass(slots=True)
class Item:
    """One behaviour of a workload, above its replicas. Derived from cells, but for the state and its reason."""

    state: str = PROVISIONAL
    because: str = "learned"
    replicas: int = 0  # exact up to `WHO`; beyond it one that was folded and came back counts again
    who: frozenset[Replica] = frozenset()  # the first `WHO` of them
    revisions: frozenset[str] = frozenset()
    days: frozenset[int] = frozenset()
    first: float = 0.0
    week: int = 0
    lineages: frozenset[str] = frozenset()
    limit_out: int = NO_LIMIT
    limit_in: int = NO_LIMIT
    limited: float = 0.0  # when the limits were first set
    guarded: bool = False
    suspect: bool = False  # sensitive, and learned from few of the replicas
    told: bool = False  # that one replica alone shows it, day after day
    look_out: int = 0  # bytes a window beyond which its bounds are asked; at once, or once most windows are known
    look_in: int = 0
    usual: tuple[int, int] = (0, NO_LIMIT)  # bytes out of nearly all its windows
    period: int = 0  # days from one turn of its schedule to the next; 0: none
    # What its cells have packed, in sum; follows from them, so no snapshot holds it.
    sent: bytes = field(default=b"", init=False, repr=False, compare=False)
    got: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def ordinary(self) -> bool:
        """Whether, with few bytes, it may come at any time and by whomever."""
        return not self.period and not self.guarded and self.state not in (DORMANT, RETIRED)

    @property
    def scheduled(self) -> bool:
        """Whether this comes again at its hour every day, week, fortnight or month: an export, a report."""
        return self.period > 0

    def schedule(self) -> None:
        """Say anew how often it comes; once a day, as it takes a look at all days."""
        self.period = schedule.period_of(self.days, self.week)
        hours, days = self.week.bit_count(), len(self.days)
        few = days >= schedule.TURNS and hours <= RARE_HOURS and 2 * hours <= days
        if not self.period and few and max(self.days) - min(self.days) >= SCHEDULE_DAYS:
            self.period = 7  # several turns in a week, in the same hours every week

    def off_schedule(self, hour: int, active: int) -> bool:
        """Whether an hour (number since the epoch) is not within one of those in which this comes.

        Args:
            active: Bit per hour of the week in which the workload did anything; one that itself runs in few hours shows
                no schedule of its behaviours.
        """
        if not self.period or active.bit_count() < IDLE_HOURS * self.week.bit_count():
            return False
        return not schedule.due(self.days, self.week, self.period, hour)

    def unusual(self, size: int, floor: int) -> bool:
        """Whether a window's bytes out are none that this behaviour usually has, though more than `floor`."""
        return size > floor and not self.usual[0] // 2 <= size <= 2 * self.usual[1]

    def move(self, event: str, because: str) -> None:
        """Take one step of `MOVES`.

        Raises:
            ValueError: The table has no such step; nothing changes.
        """
        if (self.state, event) not in MOVES:
            raise ValueError(f"an item that is {self.state} cannot be {event}")
        self.state, self.because = MOVES[self.state, event], because

    def met(self, replica: Replica, shared: Shared) -> None:
        """A replica shows this, for the first time since its cells were folded."""
        if replica in self.who:
            return
        self.replicas += 1
        if len(self.who) < WHO:
            self.who = shared.grown(self.who, replica, frozenset)

    def note(self, cell: Cell, revision: str | None, shared: Shared) -> None:
        """Take over what a cell says."""
        if cell.days is not self.days and not cell.days <= self.days:
            self.days = shared.one(latest(self.days | cell.days))
        self.week |= cell.week
        if not self.first or cell.first < self.first:
            self.first = cell.first
        if revision is not None and revision not in self.revisions:
            self.revisions = shared.grown(self.revisions, revision, frozenset)

    def share(self, shared: Shared) -> None:
        """Have what others have too."""
        self.week, self.because = shared.same(self.week), shared.same(self.because)
        self.days, self.lineages = shared.one(self.days), shared.one(self.lineages)
        self.who, self.revisions = shared.one(self.who), shared.one(self.revisions)


def promote(item: Item, policy: Policy, *, replicas: int, severity: int) -> None:
    """Admit an item that is covered: enough days and replicas, or all replicas of a workload that has only one.

    A sensitive one (`severity` 2 and more) that few replicas show stays provisional and is listed for sign-off.
    """
    if item.state != PROVISIONAL or len(item.days) < policy.promote_days:
        return
    enough = item.replicas >= min(policy.promote_replicas, max(1, replicas))
    item.suspect = severity >= 2 and replicas >= 3 and 2 * item.replicas <= replicas
    if enough and not item.suspect:
        item.move("covered", f"seen on {len(item.days)} days in {item.replicas} of {replicas} replicas")


def age(item: Item, policy: Policy, day: int) -> None:
    """Let an item that was not seen for long become dormant, and a dormant one be forgotten."""
    if not item.days or item.state == RETIRED:
        return
    idle = (day - max(item.days)) * policy.day
    if idle <= min(policy.dormant_after, policy.forget_after):
        return  # whatever its rhythm
    rhythm = item.period or schedule.period_of(item.days, item.week, turns=2)
    idle -= schedule.MISSED * rhythm * policy.day  # what comes once a month is not gone after a month
    if item.state in (PROVISIONAL, ADMITTED, QUARANTINED) and idle > policy.dormant_after:
        item.move("unseen", f"not seen for {day - max(item.days)} days")
    if item.state == DORMANT and idle > policy.forget_after:
        item.move("forgotten", f"not seen for {day - max(item.days)} days")


def limit(h: volume.Histogram, policy: Policy, before: int, days: float, most: int = NO_LIMIT) -> int:
    """Bytes a window beyond which a behaviour's volume is a deviation; `NO_LIMIT` while too little is known.

    Args:
        h: Learned bytes per window.
        before: The limit so far.
        days: Since that limit was set, for the cap on its growth (an attacker may move it slowly at most).
        most: What one replica alone moved counts up to here.
    """
    if volume.count(h) < policy.volume_windows:
        return before
    middle, scale = volume.centre(h)
    # To a bucket's end: the last bit of an exponential differs between machines, the limit must not.
    steady = volume.upper(volume.bucket(int(math.exp(min(middle + policy.volume_z * scale, 40.0)))))
    wanted = max(min(max(int(policy.volume_margin * volume.maximum(h)), steady), most), policy.volume_floor)
    if before == NO_LIMIT:
        return wanted
    # Beyond e^40 the cap holds nothing back, and a clock that jumped must not overflow it.
    growth = math.exp(min(days / 7 * math.log1p(policy.volume_growth), 40.0))
    return max(before, min(wanted, int(before * growth)))


def look(h: volume.Histogram, floor: int, limit: int, least: int) -> int:
    """Bytes a window beyond which a behaviour's bounds are asked: what nearly all windows stay below."""
    return floor if limit == NO_LIMIT else max(floor, min(limit, least, volume.quantile(h, LOOK)))


def pooled(item: Item | None, cells: Iterable[Cell]) -> tuple[volume.Histogram, volume.Histogram]:
    """Bytes out and in per window over all replicas.

    Args:
        cells: All of the item's.
    """
    out, into = [], []
    for c in cells:
        if c.out:
            out.append(c.out)
        if c.into:
            into.append(c.into)
    past = (volume.unpacked(item.sent), volume.unpacked(item.got)) if item is not None else ({}, {})
    return volume.pooled((past[0], *out)), volume.pooled((past[1], *into))


def pack(item: Item, cell: Cell, idle: float = math.inf) -> None:
    """Bytes that a cell has counted go to what is packed of it, and of the item.

    Args:
        idle: Only where they are of many sizes, or the cell was last seen before (seconds).
    """
    if cell.out and (len(cell.out) > MANY or cell.last < idle):
        cell.past_out, item.sent, cell.out = _more(cell.past_out, cell.out), _more(item.sent, cell.out), None
    if cell.into and (len(cell.into) > MANY or cell.last < idle):
        cell.past_in, item.got, cell.into = _more(cell.past_in, cell.into), _more(item.got, cell.into), None


def repack(item: Item, cells: Iterable[Cell]) -> None:
    """Sum up anew what the cells have packed."""
    cells = list(cells)
    item.sent = volume.packed(volume.pooled(volume.unpacked(c.past_out) for c in cells if c.past_out))
    item.got = volume.packed(volume.pooled(volume.unpacked(c.past_in) for c in cells if c.past_in))


def _more(past: bytes, new: volume.Histogram) -> bytes:
    return volume.packed(volume.pooled((volume.unpacked(past), new)))
