"""Daily bytes of a peer to a slow drip: a one-sided CUSUM over the latest days against the weeks before them.

Every window of a drip is within its bounds, its sum is not. What is watched is a day's bytes for something else that goes
with them: for the requests that came in (for the windows of the workload where none comes in), or for what another peer
moved, whichever was steadier in the weeks before. More traffic and more replicas leave that where it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import mul
from typing import TYPE_CHECKING

from classifier.envelope import volume
from classifier.envelope.cusum import FEWEST, LIMIT, RECENT, SURE, UNIT, Sum, cusum, log_steps
from classifier.envelope.quantities import IN_WAY, OUT_WAY
from classifier.envelope.state import stored

if TYPE_CHECKING:
    from classifier.envelope.cells import Cell
    from classifier.envelope.envelope import Envelope

KEPT = 64  # days
PEERS = 32  # directions of peers that are watched, the busiest first
REPEAT = 7  # days before it is told again
PARTNERS, CHOSEN, CHOICE = 16, 3, 7  # flows that a flow may be held against, of which so many are, for so many days
FEW = 20  # requests or windows of a day, below which its sum is chance
LOOKUPS = ":53"  # bytes of name lookups follow from what else is new
ABSENT = 0xFFFF
Moved = Mapping[str, tuple[volume.Histogram, volume.Histogram]]  # behaviour → windows by bytes out and in
NOTHING: tuple[volume.Histogram, volume.Histogram] = ({}, {})


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
    sure: int = -1  # the same with a sum that decides
    beside: tuple[str, ...] = ()  # keys of flows that it is held against, beside requests
    chosen: int = -1  # day on which they were chosen

    def add(self, day: int, total: int, requests: int) -> int:
        """Close a day: what was moved and asked since the last one; gives the bytes of the day, -1 if unknown."""
        moved, asked = total - self.total, requests - self.requests
        known = self.total >= 0 and moved >= 0 and asked >= FEW
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

    def against(self, other: Flow) -> list[int | None]:
        """Steps of ln a day of this flow's bytes for each byte of the other's, from the day on that this one begins."""
        mine, theirs = self.values(self.sizes), other.values(other.sizes)
        by = self.start - other.start
        pairs = ((v, theirs[i + by] if 0 <= i + by < len(theirs) else None) for i, v in enumerate(mine))
        return [None if v is None or o is None else v - o for v, o in pairs]

    def merged(self, other: Flow) -> Flow:
        """The one that knows more; what is moved from now on is counted anew, for both sides move it together."""
        best = max(
            self, other, key=lambda f: (f.last, len(f.sizes), f.sizes, f.rates, f.told, f.sure, f.chosen, f.beside)
        )
        return replace(best, total=-1, requests=0)

    @property
    def last(self) -> int:
        """Day of the last value."""
        return self.start + len(self.sizes) // 2 - 1


@stored
@dataclass(frozen=True, slots=True)
class Drip:
    """A peer that takes more from day to day."""

    behaviour: str
    words: str
    total: float  # sum of deviations, robust standard deviations
    since: int  # first of the days that it is made of


def close_day(e: Envelope, cells: Mapping[str, Sequence[Cell]], moved: Moved, day: int) -> list[Drip]:
    """Close a day of every peer that is watched; what has crept and was not told lately.

    Args:
        moved: Windows by bytes out and in, of what moves any.
    """
    came = sum(c.count for c in cells.get(_front_door(e, cells, moved), ()))
    requests, each = (came, "request") if came else (e.windows, "window")
    totals: dict[str, int] = {}
    for behaviour in cells:
        if behaviour.startswith("egress:") and not behaviour.endswith(LOOKUPS):
            out, into = moved.get(behaviour, NOTHING)
            totals[OUT_WAY + behaviour], totals[IN_WAY + behaviour] = moved_by(out), moved_by(into)
    for key in sorted(totals.keys() - e.flows.keys(), key=lambda k: (-totals[k], k))[: PEERS - len(e.flows)]:
        e.flows[key] = Flow()
    sums = {key: flow.add(day, totals[key], requests) for key, flow in e.flows.items() if key in totals}
    large = [key for key, n in sums.items() if n * RECENT > e.policy.volume_floor]
    busiest = sorted((k for k in sums if sums[k] > 0), key=lambda k: (-sums[k], k))[:PARTNERS]
    return [d for key in large if (d := _told(key, e.flows, busiest, each)) is not None]


def _told(key: str, flows: Mapping[str, Flow], busiest: Sequence[str], each: str) -> Drip | None:
    """What is to be said of a flow today: once when it is out of bounds, once more when that is sure."""
    flow = flows[key]
    if len(flow.sizes) // 2 < FEWEST + RECENT:
        return None
    if flow.last - flow.chosen >= CHOICE:
        flow.beside, flow.chosen = steadiest(key, flows, busiest), flow.last
    found, beside = largest(flow, flows)
    if found is None or found.total <= LIMIT:
        return None
    if flow.last - flow.told < REPEAT and (found.total < SURE or flow.last - flow.sure < REPEAT):
        return None
    flow.told = flow.last
    flow.sure = flow.last if found.total >= SURE else flow.sure
    more, unit = (math.exp(found.steps / UNIT) - 1) * 100, f"byte {_way(beside)} of {beside[1:]}" if beside else each
    words = f"a day's bytes {_way(key)} per {unit}: {more:.0f} % above the weeks before on the latest days, sum of deviations "
    return Drip(key[1:], f"{words}{found.total:.1f}, limit {LIMIT:g}", found.total, found.since)


def largest(flow: Flow, flows: Mapping[str, Flow]) -> tuple[Sum | None, str]:
    """The largest sum of a flow, and the key of what it is held against; "" for requests.

    If another one fell by more than this one rose, it is not this one that crept.
    """
    best, beside = cusum(flow.values(flow.rates), flow.start), ""
    rose = best.middle if best is not None else 0
    for key, other in ((k, flows[k]) for k in flow.beside if k in flows):
        found = cusum(flow.against(other), flow.start)
        if found is None or found.total <= max(LIMIT, best.total if best is not None else 0.0):
            continue
        fell = cusum(other.values(other.rates), other.start)
        if fell is not None and rose + fell.middle > 0:
            best, beside = found, key
    return best, beside


def steadiest(key: str, flows: Mapping[str, Flow], busiest: Sequence[str]) -> tuple[str, ...]:
    """Keys of the flows for which this one was steadier in the weeks before than for requests, the steadiest first."""
    flow = flows[key]
    plain = cusum(flow.values(flow.rates), flow.start)
    limit = plain.scale if plain is not None else math.inf
    sums = ((cusum(flow.against(flows[other]), flow.start), other) for other in busiest if other != key)
    better = sorted((s.scale, other) for s, other in sums if s is not None and s.scale < limit)
    return tuple(other for _, other in better[:CHOSEN])


def _way(key: str) -> str:
    return "out" if key[0] == OUT_WAY else "in"


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


def _packed(n: int) -> bytes:
    return min(log_steps(n), ABSENT - 1).to_bytes(2, "big")
