"""What an envelope does once a day: promote, age, bound; and how it makes room for more replicas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from classifier.drift.severity import GUARDED, severity
from classifier.envelope import convergence, creep, items, quarantine, volume
from classifier.envelope.cells import NO_LIMIT, Cell, Lane
from classifier.envelope.quantities import IN_WAY, OUT_WAY
from classifier.envelope.rested import rest
from classifier.envelope.rested import wake as awaken
from classifier.envelope.shared import Shared
from wire.records import CgroupId, Replica

if TYPE_CHECKING:
    from classifier.envelope.envelope import Envelope

LONE = 4  # times what the second largest replica moved
SHARING = 7  # days
HOME = -1  # generation of the lane that holds folded replicas; no container has it


def sweep(e: Envelope, day: int) -> list[creep.Drip]:
    """Age and promote every item, set bounds anew, name the stage; gives what crept up."""
    for lane in e.lanes.values():
        awaken(lane)
    cells = _by_behaviour(e)
    moved = {b: items.pooled(e.items.get(b), some) for b, some in cells.items() if _moves(e.items.get(b), some)}
    crept = creep.close_day(e, cells, moved, e.day) if 0 <= e.day < day else []
    e.day = day
    replicas = e.replicas
    least = e.quantities.least(e.policy)
    for lane in e.lanes.values():
        lane.hot = None
    floor = e.policy.volume_floor // 2
    for behaviour, item in e.items.items():
        item.schedule()
        items.age(item, e.policy, day)
        quarantine.review(e, item, replicas)
        if (found := quarantine.lone(e, behaviour, item)) is not None:
            e.lone = [*e.lone, found][-creep.PEERS :]
        if item.state == items.PROVISIONAL:
            items.promote(item, e.policy, replicas=replicas, severity=severity(behaviour))
        item.guarded = item.scheduled or behaviour.startswith(GUARDED) or item.state == items.DORMANT
        item.look_out, item.look_in, item.usual = floor, floor, (0, 0)
        mine = cells.get(behaviour, ())
        if behaviour in moved:
            _bound(e, behaviour, item, mine, moved[behaviour], least)
        for c in mine:
            c.limit_out, c.limit_in, c.guarded = item.look_out, item.look_in, item.guarded
            if c.out or c.into:
                items.pack(item, c, (day - 1) * e.policy.day)
    e.shared.rest()
    if day % SHARING == 0 or len(e.days) <= SHARING:
        share(e)
    if len(e.folded) > e.policy.max_exposures:
        e.folded = {key for key in e.folded if key[0] in e.ledger.exposures}
    e.stage = convergence.stage(e.coverage(), e.policy, e.windows)
    return crept


def lay_to_rest(e: Envelope, most: int) -> None:
    """Pack what replicas that have ended showed: so many of them, as to pack all that a sweep wakes would double its cost."""
    gone = _gone(e)
    awake = (lane for lane in e.lanes.values() if lane.replica in gone and lane.cells and isinstance(lane.cells, dict))
    for lane in list(islice(awake, most)):
        rest(lane, e.shared)


def share(e: Envelope) -> None:
    """What is equal becomes one object again; what nobody has any more goes."""
    e.shared = Shared()
    for behaviour, item in e.items.items():
        e.shared.same(behaviour)
        item.share(e.shared)
    for lane in e.lanes.values():
        lane.calls = e.shared.one(lane.calls)
        for c in lane.cells.values():
            c.days, c.lineages, c.week = e.shared.one(c.days), e.shared.one(c.lineages), e.shared.same(c.week)


def wake(e: Envelope) -> None:
    """What no snapshot holds of an envelope that comes from one."""
    share(e)
    for lane in e.lanes.values():
        lane.cells = {e.shared.same(b): c for b, c in lane.cells.items()}
    for behaviour, cells in _by_behaviour(e).items():
        if behaviour in e.items:
            items.repack(e.items[behaviour], cells)
    lay_to_rest(e, len(e.lanes))


def _moves(item: items.Item | None, cells: Sequence[Cell]) -> bool:
    """Whether there are any bytes."""
    if item is not None and (item.sent or item.got):
        return True
    return any(c.out or c.into for c in cells)


def _bound(
    e: Envelope,
    name: str,
    item: items.Item,
    cells: Sequence[Cell],
    moved: tuple[volume.Histogram, volume.Histogram],
    least: Mapping[str, int],
) -> None:
    """Set the bounds of what moves bytes anew."""
    out, into = moved
    if e.stage not in ("missing", "learning"):
        days = e.day - item.limited if item.limited else 0.0
        largest = [c.largest() for c in cells]
        item.limit_out = items.limit(out, e.policy, item.limit_out, days, lone(m for m, _ in largest))
        item.limit_in = items.limit(into, e.policy, item.limit_in, days, lone(m for _, m in largest))
        item.limited = float(e.day)
    floor = item.look_out
    item.look_out = items.look(out, floor, item.limit_out, least.get(OUT_WAY + name, item.limit_out))
    item.look_in = items.look(into, floor, item.limit_in, least.get(IN_WAY + name, item.limit_in))
    item.usual = volume.quantile(out, 0.05), volume.maximum(out)


def lone(largest: Iterable[int]) -> int:
    """Bytes beyond which only one of three or more replicas ever moved so much, four times over; else no limit.

    One replica must not set the bound of all (drift-model 4.5).

    Args:
        largest: Bucket of the largest window of each replica; -1 where it moved nothing.
    """
    most = sorted((b for b in largest if b >= 0), reverse=True)
    return LONE * volume.upper(most[1]) if len(most) >= 3 else NO_LIMIT


def _gone(e: Envelope) -> set[Replica]:
    return {r for r, x in e.ledger.exposures.items() if x.ended}


def _by_behaviour(e: Envelope) -> dict[str, list[Cell]]:
    out: dict[str, list[Cell]] = {}
    for lane in e.lanes.values():
        for behaviour, cell in lane.cells.items():
            out.setdefault(behaviour, []).append(cell)
    return out


def fold(e: Envelope) -> None:
    """Add up the cells of a quarter of the replicas, per revision, node and sensor epoch: ended ones first, then silent.

    Autoscaling makes thousands of replicas; what each of them did in the past matters only in sum.
    """
    gone = _gone(e)
    apart = sorted((k[0] not in gone, lane.last, k) for k, lane in e.lanes.items() if k[0].generation != HOME)
    for _, _, key in apart[: max(1, len(apart) // 4)]:
        lane = e.lanes.pop(key)
        home = Replica(lane.replica.node, CgroupId(0), HOME), f"{lane.epoch}/{lane.revision}"
        past = e.lanes.setdefault(home, Lane(*home, lane.revision))
        past.last = max(past.last, lane.last)
        past.calls |= lane.calls
        for behaviour, cell in lane.cells.items():
            items.pack(e.items[behaviour], cell)
            past.cells.setdefault(behaviour, Cell(cell.first, cell.last)).add(cell)
        e.folded.add(key)
    e.shared.leave()
