"""How long an agent was observed without enforcement; the time nobody looked is counted apart.

Hours are of the agent, not of its replicas: two at once for an hour are one hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classifier.envelope.envelope import Envelope
from classifier.envelope.ledger import Span, union
from wire.records import Pin


@dataclass(frozen=True, slots=True)
class Exposed:
    """Hours of one agent. `exposure` + `enforced` is what was observed, and `paused` comes on top."""

    exposure: float  # observed, not enforced
    enforced: float  # observed, enforced
    paused: float  # it lived, and was not observed, or not wholly
    whole: bool  # False: the ledger has dropped replicas, so all three are at least so much
    enforced_now: bool


def exposed(e: Envelope | None, enforcement: Sequence[Pin]) -> Exposed:
    """The figures of an envelope; pins of the kind "enforcement" say when it was on."""
    on = [(p.time, q) for p, q in zip(enforcement, _next_times(enforcement), strict=True) if p.value == "on"]
    now = bool(enforcement) and enforcement[-1].value == "on"
    if e is None:
        return Exposed(0.0, 0.0, 0.0, True, now)
    lives = union((x.start, x.end) for x in e.ledger.exposures.values())
    seen = union(s for x in e.ledger.exposures.values() for s in without((x.start, x.end), x.gaps))
    enforced = sum(overlap(s, o) for s in seen for o in union(on))
    hours = [round(n / e.policy.hour, 3) for n in (length(seen) - enforced, enforced, length(lives) - length(seen))]
    return Exposed(*hours, not e.ledger.dropped, now)


def _next_times(pins: Sequence[Pin]) -> list[float]:
    return [*(p.time for p in pins[1:]), float("inf")] if pins else []


def without(span: Span, gaps: Iterable[Span]) -> list[Span]:
    """A span less its gaps.

    >>> without((0, 10), [(2, 3), (9, 12)])
    [(0, 2), (3, 9)]
    """
    out, start = [], span[0]
    for left, right in union(gaps):
        if left > start:
            out.append((start, min(left, span[1])))
        start = max(start, right)
    return [*[s for s in out if s[1] > s[0]], *([(start, span[1])] if start < span[1] else [])]


def length(spans: Iterable[Span]) -> float:
    """Seconds of spans that do not overlap."""
    return sum(end - start for start, end in spans)


def overlap(one: Span, other: Span) -> float:
    """Seconds that two spans share."""
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
