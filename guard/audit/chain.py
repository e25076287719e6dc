"""Events around a finding to what led to it: the one place where the trail asks for links.

The evidence of a finding is asked first. Where no model or tool call leads to it (a counter has no id), the calls of the
same replicas in the span of its deviations are asked, and the whole chain is marked as joined by time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from classifier.links.edges import INFERRED, NOT_CAPTURED, TIME, Chain
from classifier.links.linker import Linker
from wire.records import Event

CALLS = ("tool", "mcp")
ASKED = 48  # calls that are asked for their trigger
EDGES = 256  # of a row
POSSIBLE = 16
CLOCK = 0.005  # seconds: error of two buffers of one node
EVIDENCE = "evidence"  # how a chain is tied to its finding: by ids
AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Told:
    """A chain and how it is tied to its finding."""

    chain: Chain
    by: str  # EVIDENCE or TIME
    why: str = ""
    triggers: tuple[str, ...] = ()  # llm or inbound events that could each be it, where time cannot tell them apart
    error: float | None = None  # seconds; None: time had no part


def chain_of(events: Sequence[Event], evidence: Iterable[str], span: tuple[float, float]) -> Told:
    """What led to a finding, and what came of it.

    Args:
        events: Of its replicas around its time, with its evidence.
        span: First and last of its deviations, seconds.
    """
    linker, evidence = Linker().add_all(events), list(evidence)
    chain = linker.chain_of(evidence)
    if chain.trigger.kind != NOT_CAPTURED:
        return _by_id(chain, events, evidence)
    calls = [e.id for e in events if e.kind in CALLS and span[0] <= e.time <= span[1]][-ASKED:]
    if not calls:
        return Told(chain, EVIDENCE)
    return _by_time(linker, chain, evidence, calls)


def _by_id(chain: Chain, events: Sequence[Event], evidence: list[str]) -> Told:
    """A chain that evidence leads to; joined by time all the same where it leads to no deed among the evidence."""
    deeds = {e.id for e in events if e.kind not in (*CALLS, "llm")} & set(evidence)
    if not deeds or deeds - set(chain.unlinked):
        return Told(chain, EVIDENCE)
    words = f"calls and deeds are of one finding; no link ties the {len(deeds)} deeds to a call"
    return Told(replace(chain, trigger=replace(chain.trigger, basis=INFERRED)), TIME, words, (), CLOCK)


def _by_time(linker: Linker, bare: Chain, evidence: list[str], calls: list[str]) -> Told:
    """The calls of the span, if they are all of one turn."""
    triggers = {(t.event, t.digest) for c in calls if (t := linker.chain_of([c]).trigger).kind != NOT_CAPTURED}
    if len({digest or event for event, digest in triggers}) > 1:
        words = f"{len(triggers)} turns ran in the span of what was seen; time cannot tell whose it is"
        return Told(bare, TIME, words, tuple(sorted(e for e, _ in triggers))[:POSSIBLE], CLOCK)
    chain = linker.chain_of([*evidence, *calls])
    words = f"{len(calls)} tool calls of the same replica in the span of what was seen; no id ties them to the bytes"
    return Told(replace(chain, trigger=replace(chain.trigger, basis=INFERRED)), TIME, words, (), CLOCK)


def plain(told: Told) -> dict[str, Any]:
    """A chain as a section of a row."""
    chain = told.chain
    return {
        "joined": {"by": told.by, "basis": "verified" if told.by == EVIDENCE else INFERRED, "why": told.why},
        "edges": [_edge(e) for e in chain.edges[:EDGES]],
        "possible": [_edge(e) for e in chain.possible[:POSSIBLE]],
        "unlinked": list(chain.unlinked[:EDGES]),
        "origins": [asdict(o) for o in chain.origins[:POSSIBLE]],
        "agents": list(chain.agents[:POSSIBLE]),
        "behaviour": chain.behaviour,
        "workflow": chain.workflow,
        "lost": [*chain.lost, *_cut(len(chain.edges))],
    }


def trigger(told: Told) -> dict[str, Any]:
    """What set it off, as a section of a row; never filled where nothing was captured."""
    t = told.chain.trigger
    if told.triggers:
        return {"state": AMBIGUOUS, "possible": list(told.triggers), "why": told.why}
    if t.kind == NOT_CAPTURED:
        return {"state": NOT_CAPTURED, "possible": list(t.nearest), "why": t.why}
    return {
        "state": INFERRED if told.by == TIME else "captured",
        "kind": t.kind,
        "record": t.event,
        "excerpt": t.excerpt,
        "digest": t.digest,
        "time": t.time,
        "basis": t.basis,
        "why": "; ".join(w for w in (t.why, told.why) if w),
    }


def ordering(told: Told) -> dict[str, Any]:
    """How the parts are ordered: by ids, or by clocks with their error."""
    edges = told.chain.edges
    timed = [e for e in edges if e.error is not None]
    worst = max([e.error or 0.0 for e in timed] + [told.error or 0.0])
    return {
        "by_id": len(edges) - len(timed),
        "by_time": len(timed) + (told.by == TIME),
        "time_error_ms": round(worst * 1000, 3) if timed or told.error else None,
    }


def _edge(edge: Any) -> dict[str, Any]:
    values = asdict(edge)
    return {"from": values.pop("source"), "to": values.pop("target")} | values


def _cut(edges: int) -> list[str]:
    return [f"{edges - EDGES} further links are not listed"] if edges > EDGES else []
