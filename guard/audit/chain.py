"""What led to a finding, as sections of a row. What it is, and how far was looked, `classifier.links.road` decides."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from classifier.links.edges import AMBIGUOUS, INFERRED, NOT_CAPTURED, TIME
from classifier.links.reach import Reach
from classifier.links.road import EVIDENCE, Road
from classifier.links.view import looked
from classifier.links.view import trigger as known

EDGES = 256  # of a row
LISTED = 16  # of what is possible, and of other turns


def plain(road: Road, reach: Reach) -> dict[str, Any]:
    """A chain as a section of a row."""
    chain = road.chain
    return {
        "joined": {"by": road.by, "basis": "verified" if road.by == EVIDENCE else INFERRED, "why": road.why},
        "looked": looked(reach),
        "edges": [_edge(e) for e in chain.edges[:EDGES]],
        "possible": [_edge(e) for e in chain.possible[:LISTED]],
        "unlinked": list(chain.unlinked[:EDGES]),
        "origins": [asdict(o) for o in chain.origins[:LISTED]],
        "agents": list(chain.agents[:LISTED]),
        "behaviour": chain.behaviour,
        "workflow": chain.workflow,
        "lost": [*chain.lost, *reach.lost, *_cut(len(chain.edges))],
    }


def trigger(road: Road) -> dict[str, Any]:
    """What set it off, as a section of a row; never filled where nothing was captured."""
    told, how = road.chain.trigger, known(road)
    if road.state in (AMBIGUOUS, NOT_CAPTURED):
        return {name: how[name] for name in ("state", "possible", "why")}
    more = {"also": how["also"][:LISTED], "turns": 1 + len(how["also"])} if how["also"] else {}
    return {
        "state": road.state,
        "kind": told.kind,
        "record": told.event,
        "excerpt": told.excerpt,
        "digest": told.digest,
        "time": told.time,
        "basis": told.basis,
        "why": how["why"],
    } | more


def ordering(road: Road) -> dict[str, Any]:
    """How the parts are ordered: by ids, or by clocks with their error."""
    edges = road.chain.edges
    timed = [e for e in edges if e.error is not None]
    worst = max([e.error or 0.0 for e in timed] + [road.error or 0.0])
    return {
        "by_id": len(edges) - len(timed),
        "by_time": len(timed) + (road.by == TIME),
        "time_error_ms": round(worst * 1000, 3) if timed or road.error else None,
    }


def _edge(edge: Any) -> dict[str, Any]:
    values = asdict(edge)
    return {"from": values.pop("source"), "to": values.pop("target")} | values


def _cut(edges: int) -> list[str]:
    return [f"{edges - EDGES} further links are not listed"] if edges > EDGES else []
