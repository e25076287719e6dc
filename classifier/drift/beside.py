"""A finding's replicas side by side: who saw it, who did not although it was watched, and of whom nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from classifier.envelope.ledger import Exposure
from wire.records import Replica

if TYPE_CHECKING:
    from classifier.drift.cause import Cause
    from classifier.drift.ward import Ward

SAW, DID_NOT, UNKNOWN = "saw it", "did not", "unknown"
ROWS = 200  # replicas that are told of; those that saw it come first

Seen = dict[Replica, tuple[float | None, int]]  # replica → first sight (seconds, None: forgotten), times


def beside(ward: Ward, finding: str) -> list[dict[str, Any]]:
    """One row a replica that ran when the finding's behaviours were seen, or shortly before."""
    cause = ward.causes.get(finding)
    if cause is None or cause.finding is None:
        return []
    seen = _sighted(ward, cause) or _learned(ward, cause)
    first = min((d.first for d in cause.finding.deviations), default=cause.opened)
    last = max([d.last for d in cause.finding.deviations] + [first])
    since = first - ward.policy.exposure_cap * ward.policy.hour
    near = [e for e in ward.envelope.ledger.exposures.values() if e.start <= last and e.end >= since]
    rows = [_row(e, seen.get(e.replica), since, first, last, ward.policy.hour) for e in near]
    rows.sort(key=lambda r: (r["saw"] != SAW, r["start"], r["replica"]))
    return rows[:ROWS]


def _sighted(ward: Ward, cause: Cause) -> Seen:
    """What was counted of its deviations."""
    seen: Seen = {}
    for m in cause.members:
        for replica, sight in ward.sightings[m].sights.items() if m in ward.sightings else ():
            first, count = seen.get(replica, (sight.first, 0))
            seen[replica] = min(first, sight.first), count + sight.count
    return seen


def _learned(ward: Ward, cause: Cause) -> Seen:
    """What the envelope counts of them, once they are its own."""
    seen: Seen = {}
    for lane in ward.envelope.lanes.values():
        cells = [c for d in cause.finding.deviations if (c := lane.cells.get(d.behaviour)) is not None]
        if cells:
            seen[lane.replica] = None, sum(c.count for c in cells)  # its first sight was before that
    return seen


def _row(
    e: Exposure, seen: tuple[float | None, int] | None, since: float, first: float, last: float, hour: float
) -> dict[str, Any]:
    return {
        "replica": _name(e.replica),
        "revision": e.revision,
        "saw": SAW if seen is not None else UNKNOWN if e.blind(first, last) else DID_NOT,
        "hours": round(e.seen(since, last) / hour, 2),  # watched, of those that count
        "first": seen[0] if seen is not None else None,
        "count": seen[1] if seen is not None else 0,
        "start": e.start,
        "end": e.end,
    }


def _name(replica: Replica) -> str:
    return f"{replica.node}/{replica.cgroup}" + (f".{replica.generation}" if replica.generation else "")
