"""A series of days, in steps of ln, to a one-sided CUSUM of its latest days against the weeks before them.

Steps are whole numbers (64ths of ln), so that a replay is the same on every machine; a weekday is held against its own
weekday once three of them are known. Source: Page, Biometrika 41 (1954); what was measured is in docs/envelopes.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNIT = 64  # steps of ln; 1.6 %
RECENT = 10  # days that are judged; older ones are the reference
FEWEST = 21  # days of reference before anything is said
WEEKS = 3  # values of one weekday before it is compared with itself
SLACK, LIMIT = 1.0, 6.0  # robust standard deviations; see docs/envelopes.md for what was measured
SURE = 12.0  # the same, from which the sum decides without anything else: six days in a row far out, or more that are less far
LEAST = 2  # steps of ln: no series is steadier than 3 %
LN2_4096 = 2839  # ln(2) * 4096


def log_steps(n: int) -> int:
    """ln(n) in steps, in whole numbers: a float's last bit differs between machines.

    >>> [log_steps(n) for n in (0, 1, 2, 1000)]
    [0, 0, 44, 442]
    """
    if n < 2:
        return 0
    bits = n.bit_length() - 1
    whole = (n << 12) >> bits  # 4096 to 8191
    fraction = 0  # log2 of it, bit by bit
    for _ in range(12):
        whole = whole * whole >> 12
        fraction <<= 1
        if whole >= 8192:
            whole, fraction = whole >> 1, fraction | 1
    return ((bits << 12) + fraction) * LN2_4096 * UNIT >> 24


@dataclass(frozen=True, slots=True)
class Sum:
    """A one-sided sum at the last day."""

    total: float  # robust standard deviations
    steps: int  # middle excess of the days that it is made of
    since: int  # first of these days; the last day where there is none
    middle: int  # middle excess of all days that are judged
    scale: float  # steps that are one standard deviation


def cusum(values: Sequence[int | None], start: int) -> Sum | None:
    """The sum at the last day; None if too little is known.

    Args:
        start: Day of the first value, for its weekday.
    """
    cut = max(0, len(values) - RECENT)
    reference = [(start + i, v) for i, v in enumerate(values[:cut]) if v is not None]
    if len(reference) < FEWEST:
        return None
    normal = _normal(reference)
    spread = sorted(abs(v - normal[d % 7]) for d, v in reference)
    # The reference days made their own weekday's middle, so new ones lie a little further from it.
    scale = max(1.25 * 1.4826 * spread[len(spread) // 2], 0.8 * spread[len(spread) * 9 // 10], LEAST)
    total, over, every, since = 0.0, [], [], start + len(values) - 1
    for i, v in enumerate(values[cut:], start + cut):
        if v is None:
            continue
        excess = v - normal[i % 7]
        since = since if total else _begun(reference, normal, scale, i) if not every else i
        # One odd day is no drip.
        total = max(0.0, total + min(excess / scale, LIMIT / 2) - SLACK)
        over = [*over, excess] if total else []
        every.append(excess)
    middle = sorted(every)[len(every) // 2] if every else 0
    return Sum(round(total, 3), sorted(over)[len(over) // 2] if over else 0, since, middle, scale)


def _begun(reference: Sequence[tuple[int, int]], normal: Sequence[int], scale: float, day: int) -> int:
    """Since when it has been above normal without a break, where that was before the days that are judged."""
    for d, v in reversed(reference):
        if v - normal[d % 7] <= scale * SLACK:
            break
        day = d
    return day


def _normal(reference: list[tuple[int, int]]) -> list[int]:
    """The middle of each weekday; where too few are known, of all days."""
    overall = _middle([v for _, v in reference])
    by_day = [[v for d, v in reference if d % 7 == w] for w in range(7)]
    return [_middle(vs) if len(vs) >= WEEKS else overall for vs in by_day]


def _middle(values: list[int]) -> int:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2
