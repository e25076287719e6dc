"""An envelope to one row per day and dimension: how much was new, how much is still unseen, how far it moved.

The rows follow from cells and their days (at most `cells.DAYS` of them), so they are the same after any order of
merging, and a chart drawn from them can be drawn again from the CSV. Two forms of Good-Turing stand beside each other:
`mass` counts behaviours seen in one session only (Q1 over all incidences), `fresh` counts sessions that showed
something no other did (one odd session of forty new things counts once; drift-model 2.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from classifier.envelope import convergence
from classifier.envelope.dimensions import DIMENSIONS, TOTAL
from classifier.envelope.incidence import TAG, Seen, collected, firsts, session_days
from classifier.policy import Policy

if TYPE_CHECKING:
    from classifier.envelope.envelope import Envelope

SPREAD_DAYS = 3  # at either end of the series


@dataclass(frozen=True, slots=True)
class Row:
    """One day of one dimension. Days are numbers since the epoch."""

    day: int
    dimension: str
    sessions: int  # replicas that ran on this day
    new: int  # behaviours seen for the first time
    active: int  # behaviours seen on this day
    known: int  # behaviours seen up to this day
    size: int  # of these, not dormant: seen within the last `Policy.dormant_after`
    singles: int  # of these, seen in one session only
    incidences: int  # sessions in which a behaviour was seen, summed over behaviours and days so far
    mass: float  # unseen mass: singles / incidences
    spread: float  # width of its 90 % interval, from 0 to the upper bound
    fresh: float  # sessions that showed something no other did, per active day
    unseen: float  # Chao2: at least so many behaviours are still unseen
    distance: float | None  # Jaccard distance to the day before with sessions; None on the first
    movement: float | None  # Jaccard distance of the covered set to that of the day before
    stage: str


def rows(e: Envelope) -> list[Row]:
    """All days with sessions, oldest first; on each day the total first, then every dimension that was ever seen."""
    known, sessions = collected(e), session_days(e)
    dimensions = [d for d in DIMENSIONS if any(s.dimension == d for s in known.values())]
    tables = {d: _days(e, d, _part(known, d), sessions) for d in (TOTAL, *dimensions)}
    return [tables[d][i] for i in range(len(sessions)) for d in tables]


def coverages(e: Envelope) -> dict[str, convergence.Coverage]:
    """What the sessions say at the end, for the whole and per dimension."""
    parts, sessions = firsts(e), sum(session_days(e).values())
    every = {b: s for d, p in parts.items() if d != "syscall" for b, s in p.items()}
    return {d: convergence.coverage(p, sessions, len(e.days)) for d, p in {TOTAL: every, **parts}.items()}


def spread_ratio(table: Iterable[Row]) -> float | None:
    """Mean spread of the last days over that of the first ones; None while these overlap."""
    spreads = [r.spread for r in table if r.dimension == TOTAL]
    if len(spreads) < 2 * SPREAD_DAYS:
        return None
    return round(sum(spreads[-SPREAD_DAYS:]) / max(1e-12, sum(spreads[:SPREAD_DAYS])), 4)


def _part(known: dict[str, Seen], dimension: str) -> dict[str, Seen]:
    """The behaviours of a dimension. The total leaves system calls out: one stray call is no new behaviour."""
    if dimension == TOTAL:
        return {b: s for b, s in known.items() if s.dimension != "syscall"}
    return {b: s for b, s in known.items() if s.dimension == dimension}


def _days(e: Envelope, dimension: str, known: dict[str, Seen], sessions: dict[int, int]) -> list[Row]:
    """One dimension's rows. Counts as of a day come from the first three sessions of each behaviour."""
    order, idle = sorted(sessions), int(e.policy.dormant_after / e.policy.day)
    present = {d: {b for b, s in known.items() if d in s.days} for d in order}
    covered = dict(_covered(known, order, e.policy, sessions))
    out: list[Row] = []
    total = passed = 0
    for i, day in enumerate(order):
        total += sum(s.days.get(day, 0) for s in known.values())
        passed += sessions[day]
        now = _as_of(known, day, passed, sum(d <= day for d in e.days))
        before = order[i - 1] if i else None
        new = sum(s.sessions[0] // TAG == day for s in known.values())
        out.append(
            Row(
                day=day,
                dimension=dimension,
                sessions=sessions[day],
                new=new,
                active=len(present[day]),
                known=now.seen,
                size=sum(any(day - idle <= d <= day for d in s.days) for s in known.values()),
                singles=now.singles,
                incidences=total,
                mass=round(now.singles / max(1, total), 6),
                spread=round(min(1.0, convergence.poisson_upper(now.singles) / max(1, total)), 6),
                fresh=now.expected,
                unseen=now.unseen,
                distance=None if before is None else _jaccard(present[before], present[day]),
                movement=None if before is None else _jaccard(covered[before], covered[day]),
                stage=convergence.stage(now, e.policy, 1),
            )
        )
    return out


def _as_of(known: dict[str, Seen], day: int, sessions: int, active: int) -> convergence.Coverage:
    """The coverage as it stood at the end of a day."""
    limit = (day + 1) * TAG
    then = [s.sessions for s in known.values() if s.sessions[0] < limit]
    single = [s[0] for s in then if len(s) == 1 or s[1] >= limit]
    doubles = sum(len(s) > 1 and s[1] < limit and (len(s) == 2 or s[2] >= limit) for s in then)
    return convergence.Coverage(sessions, active, len(single), doubles, len(set(single)), len(then))


def _covered(
    known: dict[str, Seen], order: list[int], policy: Policy, sessions: dict[int, int]
) -> Iterator[tuple[int, set[str]]]:
    """Day → what was covered then: on enough days, by enough replicas, and not unseen for long."""
    idle = int(policy.dormant_after / policy.day)
    enough = {
        b: s.replicas >= min(policy.promote_replicas, max(sessions.values(), default=1)) for b, s in known.items()
    }
    for day in order:
        yield (
            day,
            {
                b
                for b, s in known.items()
                if enough[b]
                and len(past := [d for d in s.days if d <= day]) >= policy.promote_days
                and day - max(past) <= idle
            },
        )


def _jaccard(one: set[str], two: set[str]) -> float:
    union = len(one | two)
    return round(1 - len(one & two) / union, 6) if union else 0.0
