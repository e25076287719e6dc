"""Daily bytes of a peer to a slow drip: a one-sided CUSUM over the latest days against the weeks before them.

Every window of a drip is within its bounds, its sum is not. What is watched is a day's bytes per request that came in,
or per window of the workload where none comes in, which more traffic and more replicas leave where it is. Values are
whole numbers (64ths of ln), so that a replay is the same on every machine; a weekday is held against its own weekday
once three of them are known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul
from typing import TYPE_CHECKING

from classifier.envelope import volume
from classifier.envelope.quantities import IN_WAY, OUT_WAY
from classifier.envelope.state import stored

if TYPE_CHECKING:
    from classifier.envelope.cells import Cell
    from classifier.envelope.envelope import Envelope

UNIT = 64  # steps of ln; 1.6 %
KEPT = 64  # days
RECENT = 10  # days that are judged; older ones are the reference
FEWEST = 21  # days of reference before anything is said
WEEKS = 3  # values of one weekday before it is compared with itself
SLACK, LIMIT = 1.0, 6.0  # robust standard deviations; see docs/envelopes.md for what was measured
PEERS = 32  # directions of peers that are watched, the busiest first
REPEAT = 7  # days before it is told again
LEAST = 2  # steps of ln: no series is steadier than 3 %
ABSENT = 0xFFFF
Moved = Mapping[str, tuple[volume.Histogram, volume.Histogram]]  # behaviour → windows by bytes out and in
NOTHING: tuple[volume.Histogram, volume.Histogram] = ({}, {})
LN2_4096 = 2839  # ln(2) * 4096


@stored
@dataclass(slots=True)
class Flow:
    """One peer. `bytes` values are two bytes a day; the first is of `start`."""

    total: int = -1  # bytes moved so far, at the last sweep; -1: not known
    requests: int = 0
    start: int = 0  # day of the first value
    sizes: bytes = b""
    rates: bytes = b""
    told: int = -1  # day for which it was last told

    def add(self, day: int, total: int, requests: int) -> int:
        """Close a day: what was moved and asked since the last one; gives the bytes of the day, -1 if unknown."""
        moved, asked = total - self.total, requests - self.requests
        known = self.total >= 0 and moved >= 0 and asked >= 0
        self.total, self.requests = total, requests
        if not known or moved == 0:
            return -1
        self.start = self.start if self.sizes else day
        gap = day - self.start - len(self.sizes) // 2
        if not 0 <= gap <= KEPT:  # a clock that jumped: begin again
            self.start, self.sizes, self.rates, gap = day, b"", b"", 0
        pad = ABSENT.to_bytes(2, "big") * gap
        self.sizes += pad + _packed(moved)
        self.rates += pad + (_packed(moved // asked) if asked else ABSENT.to_bytes(2, "big"))
        excess = max(0, len(self.sizes) // 2 - KEPT)
        self.start, self.sizes, self.rates = self.start + excess, self.sizes[2 * excess :], self.rates[2 * excess :]
        return moved

    def values(self, packed: bytes) -> list[int | None]:
        """Steps of ln a day, None where nothing was moved."""
        found = (int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2))
        return [None if v == ABSENT else v for v in found]

    def crept(self) -> tuple[float, int] | None:
        """The sum of deviations and the steps above normal on the last days; None while in bounds.

        Of the bytes for what was asked alone: more traffic and more replicas move more bytes, and that is no drip.
        """
        found = cusum(self.values(self.rates), self.start)
        return found if found is not None and found[0] > LIMIT else None

    def merged(self, other: Flow) -> Flow:
        """The one that knows more; what is moved from now on is counted anew, for both sides move it together."""
        best = max(self, other, key=lambda f: (f.last, len(f.sizes), f.sizes, f.rates, f.told))
        return Flow(-1, 0, best.start, best.sizes, best.rates, best.told)

    @property
    def last(self) -> int:
        """Day of the last value."""
        return self.start + len(self.sizes) // 2 - 1


def close_day(e: Envelope, cells: Mapping[str, Sequence[Cell]], moved: Moved, day: int) -> list[tuple[str, str]]:
    """Close a day of every peer that is watched; behaviours that have crept, with the numbers in words.

    Args:
        moved: Windows by bytes out and in, of what moves any.
    """
    came = sum(c.count for c in cells.get(_front_door(e, cells, moved), ()))
    requests, each = (came, "request") if came else (e.windows, "window")
    totals: dict[str, int] = {}
    for behaviour in cells:
        if behaviour.startswith("egress:"):
            out, into = moved.get(behaviour, NOTHING)
            totals[OUT_WAY + behaviour], totals[IN_WAY + behaviour] = moved_by(out), moved_by(into)
    for key in sorted(totals.keys() - e.flows.keys(), key=lambda k: (-totals[k], k))[: PEERS - len(e.flows)]:
        e.flows[key] = Flow()
    crept = []
    for key, flow in e.flows.items():
        if key in totals and flow.add(day, totals[key], requests) * RECENT > e.policy.volume_floor:
            words = _told(flow, "out" if key[0] == OUT_WAY else "in", each)
            crept += [(key[1:], words)] if words else []
    return crept


def _front_door(e: Envelope, cells: Mapping[str, Sequence[Cell]], moved: Moved) -> str:
    """The listener that requests come in by: the one seen on most days, then the one that moves most; "" without any.

    Not all of them: a listener for metrics that is new and asked all the time would make every request look small.
    """
    doors = [b for b in cells if b.startswith("ingress:") and b in e.items]
    return max(doors, key=lambda b: (len(e.items[b].days), moved_by(moved.get(b, NOTHING)[0]), b), default="")


def moved_by(h: volume.Histogram) -> int:
    """All bytes of a histogram, within 3 %."""
    return sum(map(mul, map(_middle_of, h), h.values()))


@cache  # a few hundred buckets, asked for every cell once a day
def _middle_of(b: int) -> int:
    return (volume.upper(b) + volume.upper(b - 1) + 1) // 2 if b >= 96 else volume.upper(b)


def _told(flow: Flow, way: str, each: str) -> str:
    found = flow.crept()
    if found is None or flow.last - flow.told < REPEAT:
        return ""
    flow.told = flow.last
    total, steps = found
    more = (math.exp(steps / UNIT) - 1) * 100
    return (
        f"a day's bytes {way} per {each}: {more:.0f} % above the weeks before on the latest days, "
        f"sum of deviations {total:.1f}, limit {LIMIT:g}"
    )


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


def cusum(values: Sequence[int | None], start: int) -> tuple[float, int] | None:
    """The one-sided sum at the last day, and the middle excess of the days it is made of; None if too little is known.

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
    total, over = 0.0, []
    for i, v in enumerate(values[cut:], start + cut):
        if v is None:
            continue
        z = min((v - normal[i % 7]) / scale, LIMIT / 2)  # one odd day is no drip
        total = max(0.0, total + z - SLACK)
        over = [*over, v - normal[i % 7]] if total else []
    return round(total, 3), sorted(over)[len(over) // 2] if over else 0


def _normal(reference: list[tuple[int, int]]) -> list[int]:
    """The middle of each weekday; where too few are known, of all days."""
    overall = _middle([v for _, v in reference])
    by_day = [[v for d, v in reference if d % 7 == w] for w in range(7)]
    return [_middle(vs) if len(vs) >= WEEKS else overall for vs in by_day]


def _middle(values: list[int]) -> int:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def _packed(n: int) -> bytes:
    return min(log_steps(n), ABSENT - 1).to_bytes(2, "big")
