"""Days and hours on which a behaviour was seen to its schedule: every day, week, fortnight or month, at an hour.

An occurrence is a day. Three of them make a schedule, two make us wait for the third before we call it dormant. One
missed turn is forgiven, since a node may have been down. What comes once a week or more rarely and at any hour of its day
needs five turns: a queue or a busy node may hold it up.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

PERIODS = ((1, 0), (7, 0), (14, 1), (30, 3))  # days, and how many a turn may be early or late
HOURS = 3  # of the day; what comes at more of them comes at any
TURNS, LOOSE = 3, 5  # LOOSE: at any hour
WEEK = 7
MISSED = 2  # periods between two turns at most
DAY = (1 << 24) - 1
SPAN = 14  # days that a daily schedule must have been kept before it is believed


def period_of(days: Collection[int], week: int, *, turns: int = TURNS) -> int:
    """Days from one turn to the next; 0 where there is no schedule.

    Args:
        days: Numbers since the epoch.
        week: Bit per hour of the week in which it was seen.

    >>> period_of({3, 10, 17}, 1 << 50), period_of({3, 4, 9}, 1 << 50)
    (7, 0)
    """
    loose = _loose(week)
    if len(days) < (max(turns, LOOSE) if loose else turns):
        return 0
    gaps = [b - a for a, b in itertools.pairwise(sorted(days))]
    return next((p for p, slip in PERIODS if (p >= WEEK or not loose) and _fits(gaps, p, slip)), 0)


def _loose(week: int) -> bool:
    return _folded(week).bit_count() > HOURS


def _fits(gaps: list[int], period: int, slip: int) -> bool:
    turns = [max(1, round(gap / period)) for gap in gaps]
    near = all(t <= MISSED and abs(gap - t * period) <= slip * t for gap, t in zip(gaps, turns, strict=True))
    missed = sum(t > 1 for t in turns)
    return near and 4 * missed <= len(gaps) and (period > 1 or sum(gaps) >= SPAN)


def hours_of_day(week: int) -> set[int]:
    """Hours of the day of some hours of the week.

    >>> hours_of_day(1 << 2 | 1 << 26)
    {2}
    """
    day = _folded(week)
    return {h for h in range(24) if day >> h & 1}


def _folded(week: int) -> int:
    """Bit per hour of the day."""
    day = 0
    while week:
        day |= week & DAY
        week >>= 24
    return day


def due(days: Collection[int], week: int, period: int, hour: int) -> bool:
    """Whether an hour (number since the epoch) is one in which a turn may come, give or take one."""
    if _loose(week) and period_of(days, week) == period:  # else several turns in a week, each at hours of its own
        return any(_on_day(days, period, hour + h) for h in (-1, 0, 1))
    if period in (1, 14, 30):
        wanted = hours_of_day(week)
        in_time = any((hour + d) % 24 in wanted for d in (-1, 0, 1))
    else:
        in_time = any(week >> ((hour + d) % 168) & 1 for d in (-1, 0, 1))
    return in_time and (period < 14 or _on_day(days, period, hour))


def _on_day(days: Collection[int], period: int, hour: int) -> bool:
    """Whether an hour lies on a day on which a turn may come."""
    since = hour // 24 - max(days)
    rest, slip = since % period, dict(PERIODS)[period]
    return since == 0 or min(rest, period - rest) <= slip * max(1, round(since / period))
