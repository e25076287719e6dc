"""Two envelopes of one workload to one.

Lanes carry all counts and each has one writer, so two copies of a lane merge to the later one; what an envelope says
above its lanes is worked out anew. A lane that either side has folded is dropped from the other, or it would count
twice.
"""

from __future__ import annotations

from typing import TypeVar

from classifier.drift.severity import GUARDED
from classifier.envelope import convergence, creep, incidence
from classifier.envelope.cells import Lane, LaneKey, latest
from classifier.envelope.creep import Flow
from classifier.envelope.envelope import Envelope
from classifier.envelope.items import ADMITTED, DORMANT, PROVISIONAL, QUARANTINED, RETIRED, WHO, Item

K, V = TypeVar("K"), TypeVar("V")
RANK = {RETIRED: 0, PROVISIONAL: 1, QUARANTINED: 2, DORMANT: 3, ADMITTED: 4}


def merged(one: Envelope, two: Envelope) -> Envelope:
    """What both know; neither changes."""
    out = Envelope(min(one.workload, two.workload), one.policy)
    out.folded = one.folded | two.folded
    out.lanes = _lanes(one, two, out.folded)
    out.ledger = one.ledger.merge(two.ledger)
    out.grams.update(sorted({*one.grams, *two.grams})[: one.policy.max_grams])
    out.profiles = one.profiles.merge(two.profiles)
    out.sticky = {b: min(s) for b in sorted(one.sticky.keys() | two.sticky.keys()) if (s := _both(one, two, b))}
    out.lost = _largest(one.lost, two.lost)
    out.overflow = _largest(one.overflow, two.overflow)
    out.lost_last = max(one.lost_last, two.lost_last)
    out.week = one.week | two.week
    out.days = latest(one.days | two.days)
    out.blind_spots = one.blind_spots | two.blind_spots
    out.calls = incidence.united(one.calls, two.calls)
    out.quantities = one.quantities.merge(two.quantities)
    out.flows = _flows(one, two)
    out.strange = incidence.united(one.strange, two.strange)
    signed = [e.signed for e in (one, two) if e.signed is not None]
    out.signed = max(signed, key=lambda r: (r.time, r.digest, r.actor, r.admitted), default=None)
    out.alarms = _latest(one.alarms, two.alarms)
    out.touched = _latest(one.touched, two.touched)
    _spans(out, one, two)
    _items(out, one, two)
    return out


def _lanes(one: Envelope, two: Envelope, folded: set[LaneKey]) -> dict[LaneKey, Lane]:
    keys = sorted((one.lanes.keys() | two.lanes.keys()) - folded)
    sides = [[e.lanes[k] for e in (one, two) if k in e.lanes] for k in keys]
    return {k: s[0].merged(s[-1]) for k, s in zip(keys, sides, strict=True)}


def _both(one: Envelope, two: Envelope, behaviour: str) -> list[str]:
    return [e.sticky[behaviour] for e in (one, two) if behaviour in e.sticky]


def _largest(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {k: max(one.get(k, 0), two.get(k, 0)) for k in sorted(one.keys() | two.keys())}


def _latest(one: dict[K, V], two: dict[K, V]) -> dict[K, V]:
    """Of two entries the later one; times come first in both."""
    keys = sorted(one.keys() | two.keys())  # type: ignore[type-var]
    return {k: max(d[k] for d in (one, two) if k in d) for k in keys}  # type: ignore[type-var]


def _flows(one: Envelope, two: Envelope) -> dict[str, Flow]:
    keys = sorted(one.flows.keys() | two.flows.keys())[: creep.PEERS]
    sides = [[e.flows[k] for e in (one, two) if k in e.flows] for k in keys]
    return {k: s[0].merged(s[-1]) for k, s in zip(keys, sides, strict=True)}


def _spans(out: Envelope, one: Envelope, two: Envelope) -> None:
    known = [e for e in (one, two) if e.windows]
    out.first = min((e.first for e in known), default=0.0)
    out.last = max((e.last for e in known), default=0.0)
    out.windows = sum(e.windows for e in out.ledger.exposures.values())
    out.day = max(one.day, two.day)


def _items(out: Envelope, one: Envelope, two: Envelope) -> None:
    """Items from the merged cells; of two states the more settled one, of two reasons the first in the alphabet."""
    for behaviour in sorted(one.items.keys() | two.items.keys()):
        known = [e.items[behaviour] for e in (one, two) if behaviour in e.items]
        best = max(known, key=lambda i: (RANK[i.state], [-ord(c) for c in i.because]))
        item = out.items[behaviour] = Item(best.state, best.because)
        item.days = latest(set().union(*(i.days for i in known)))
        item.who = frozenset(sorted(set().union(*(i.who for i in known)))[:WHO])
        item.suspect = any(i.suspect for i in known)
        item.told = any(i.told for i in known)
        item.first = min((i.first for i in known if i.first), default=0.0)
        item.guarded = behaviour.startswith(GUARDED)
    for lane in out.lanes.values():
        for behaviour, cell in lane.cells.items():
            item = out.items[behaviour]
            item.note(cell, lane.revision, out.shared)
            item.replicas += max(1, cell.folded)
            item.lineages |= cell.lineages
    # Nothing is promoted or bounded here: what two of three envelopes would admit, the third may hold back. The next
    # day's sweep does both, on all that was merged by then.
    out.stage = convergence.stage(out.coverage(), out.policy, out.windows)
