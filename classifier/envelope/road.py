"""The careful road of a window's uses: learned with day, hour, owner and bytes, or handed back with the reason.

A use takes it at its first showing in an hour, and when it moves more than most windows do. All others are only counted
(`cells.count_known`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.drift.severity import GUARDED, severity
from classifier.envelope import quarantine, volume
from classifier.envelope.cells import NO_LIMIT, Cell, Lane, latest, smallest
from classifier.envelope.items import DORMANT, RETIRED, Item
from classifier.envelope.lineage import lineage_of
from classifier.envelope.quantities import IN_WAY, OUT_WAY, Moved, load_for, loads
from classifier.envelope.strangers import INTO, KNOWN, NEW, OUT, OWNER, RETURN, SCHEDULE, Reason, Stranger
from wire.records import Use, Window

if TYPE_CHECKING:
    from classifier.envelope.envelope import Envelope


class Road:
    """One window's. Hours and days are numbers since the epoch."""

    __slots__ = ("_accept", "_day", "_e", "_floor", "_hour", "_lane", "_load", "_window")

    def __init__(self, e: Envelope, lane: Lane, window: Window, *, accept: int) -> None:
        """The road of a window of a replica.

        Args:
            accept: Highest severity at which an unknown behaviour is learned all the same.
        """
        self._e, self._lane, self._window, self._accept = e, lane, window, accept
        self._hour, self._day = int(window.start // e.policy.hour), int(window.start // e.policy.day)
        self._load, self._floor = loads(window), e.policy.volume_floor

    def look(self, use: Use) -> Stranger | None:
        """Learn a use, or say why not."""
        e = self._e
        item, trail = e.items.get(use.behaviour), lineage_of(use)
        if item is not None and item.ordinary and use.bytes_out <= self._floor and use.bytes_in <= self._floor:
            why, words, times = KNOWN
        else:
            why, words, times = self._why(item, use, trail)
        if use.behaviour in e.sticky or (why and not self._tolerated(why, use.behaviour)):
            return Stranger(use, why or NEW, words, times)
        if item is None or item.state == RETIRED:
            if len(e.items) >= e.policy.max_behaviours and item is None:
                return e.full("behaviours")
            item = e.item(use.behaviour, Item())
            if suspicion := quarantine.suspicion(e, self._window, use):
                item.move("suspected", suspicion)
        if item.state == DORMANT:
            item.move("seen", "seen again")
        self._count(use, item, trail)
        return None

    def _tolerated(self, why: str, behaviour: str) -> bool:
        """While learning everything is learned all the same; later only what is new and harmless."""
        return self._accept >= 3 or (why in (NEW, RETURN) and severity(behaviour) <= self._accept)

    def _why(self, item: Item | None, use: Use, trail: str) -> Reason:
        """Why a use does not belong, and which bound it breaks; `KNOWN` if it does."""
        if item is None or item.state == RETIRED:
            return NEW, "", 0.0
        if item.state == DORMANT:
            return RETURN, "", 0.0
        foreign = bool(item.lineages) and trail not in item.lineages and trail != ""
        if item.off_schedule(self._hour, self._e.week):
            return SCHEDULE, "", 0.0
        if (use.bytes_out > self._floor or use.bytes_in > self._floor) and (
            broken := self._beyond(item, use, trail, own=item.scheduled and foreign)
        ):
            return broken
        if not foreign or not use.behaviour.startswith(GUARDED) or len(item.days) < 2:
            return KNOWN
        # The acting image decides: what started it may differ from one revision to the next.
        return KNOWN if trail.split("<")[0] in {t.split("<")[0] for t in item.lineages} else (OWNER, "", 0.0)

    def _beyond(self, item: Item, use: Use, trail: str, *, own: bool) -> Reason | None:
        """The bounds that a use breaks; of both directions the larger one gives the reason, the words tell of both."""
        found = []
        for why, way, size, most in (
            (OUT, OUT_WAY, use.bytes_out, item.limit_out),
            (INTO, IN_WAY, use.bytes_in, item.limit_in),
        ):
            if size > self._floor and (own or most < NO_LIMIT):
                policy, moved = self._e.policy, self._moved(use, size)
                broken = self._e.quantities.broken(way, use.behaviour, trail, moved, most, policy, own=own)
                found += [(size, why, f"{why.split()[1]}: {broken.words}", broken.times)] if broken.words else []
        if not found:
            return None
        return max(found)[1], "; ".join(f[2] for f in found), max(f[3] for f in found)

    def _moved(self, use: Use, size: int) -> Moved:
        return Moved(size, use.count, load_for(use.count, self._load), self._hour)

    def _count(self, use: Use, item: Item, trail: str) -> None:
        e, lane, shared = self._e, self._lane, self._e.shared
        cell = lane.cells.get(use.behaviour)
        if cell is None:
            cell = lane.cells[shared.same(use.behaviour)] = Cell(use.first or self._window.start, self._window.end)
            least = self._floor // 2
            cell.limit_out, cell.limit_in = max(least, item.look_out), max(least, item.look_in)
            cell.guarded = item.guarded
            item.met(lane.replica, shared)
        cell.count += use.count
        cell.windows += 1
        cell.last = max(cell.last, self._window.end)
        self._measure(use, cell, item, trail)
        if cell.hour == self._hour and (not trail or trail in cell.lineages):
            return  # all else was noted when it was first seen in this hour
        cell.hour = self._hour
        if lane.hot is not None and lane.hour == self._hour and not cell.guarded:
            lane.hot[use.behaviour] = cell
        if self._day not in cell.days:
            cell.days = shared.grown(cell.days, self._day, latest)
        cell.week |= 1 << (self._hour % 168)
        if trail and trail not in cell.lineages:
            cell.lineages = shared.grown(cell.lineages, trail, smallest)
        if trail and trail not in item.lineages:
            e.own(use.behaviour, item, {trail})
        item.note(cell, lane.revision, shared)

    def _measure(self, use: Use, cell: Cell, item: Item, trail: str) -> None:
        """Learn the bytes. Until there are bounds, only what exceeds all before is looked at again."""
        if size := use.bytes_out:
            cell.count_out(volume.bucket(size))
            if size > self._floor // 2:
                self._bound(OUT_WAY, use, size, trail, bounded=item.limit_out < NO_LIMIT)
                if item.limit_out >= NO_LIMIT:
                    cell.limit_out = max(cell.limit_out, size)
        if size := use.bytes_in:
            cell.count_in(volume.bucket(size))
            if size > self._floor // 2:
                self._bound(IN_WAY, use, size, trail, bounded=item.limit_in < NO_LIMIT)
                if item.limit_in >= NO_LIMIT:
                    cell.limit_in = max(cell.limit_in, size)

    def _bound(self, way: str, use: Use, size: int, trail: str, *, bounded: bool) -> None:
        if not self._e.quantities.learn(way, use.behaviour, trail, self._moved(use, size), bounded=bounded):
            self._e.full("triggers with bounds")
