"""An envelope as plain, sorted values: for people, for JSON, for a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from classifier.drift.severity import rated
from classifier.envelope import cusum, reference, series, volume
from classifier.envelope.creep import Flow, largest
from classifier.envelope.dimensions import TOTAL, dimension
from classifier.envelope.envelope import Envelope
from classifier.envelope.items import DORMANT, PROVISIONAL, QUARANTINED, RETIRED, Item
from classifier.envelope.quantities import OUT_WAY

COUNTED = ("exec:", "egress:", "ingress:", "open:", "write:", "identity:")  # what a revision is told to have shown
HALF_LIFE = 14  # active days
DECIDED = ("event ",)  # reasons that are a decision already
SUBSTRATES = {"exec": "exec", "open": "file", "write": "file", "identity": "identity"}
SUBSTRATES |= {"syscall": "syscall", "io_uring": "syscall"}


def shown(e: Envelope) -> dict[str, Any]:
    """All of an envelope that a person or a program may want to see."""
    coverage = e.coverage()
    table = [asdict(r) for r in series.rows(e)]
    state, because = e.state(e.last)
    return {
        "workload": e.workload,
        "state": state,
        "because": because,
        "digest": digest(e),
        "first": e.first,
        "last": e.last,
        "windows": e.windows,
        "active_days": coverage.active_days,
        "expected_new_per_day": coverage.expected,
        "expected_new_upper": coverage.upper,
        "unseen_at_least": coverage.unseen,
        "unseen_mass": next((r["mass"] for r in reversed(table) if r["dimension"] == TOTAL), None),
        "convergence": table,
        "valid_until": e.last + e.policy.validity if state == "converged" else None,
        "valid_because": _validity(e, state),
        "dimensions": _dimensions(e),
        "lost": dict(sorted(e.lost.items())),
        "full": dict(sorted(e.overflow.items())),
        "blind_spots": sorted(e.blind_spots),
        "behaviours": [_item(e, b) for b in sorted(e.items)],
        "low_confidence": sorted(b for b, i in e.items.items() if i.state in (PROVISIONAL, QUARANTINED)),
        "quarantined": {b: e.items[b].because for b in sorted(e.items) if e.items[b].state == QUARANTINED},
        "sign_off": _sign_off(e),
        "refused": dict(sorted(e.sticky.items())),
        **reference.distances(e),
        "revisions": _revisions(e),
        "syscalls": sorted(set().union(*(lane.calls for lane in e.lanes.values()))),
        "sequences": len(e.grams),
        "daily_bytes": [_flow(key, e.flows) for key in sorted(e.flows)],
        "ledger": [_exposure(x) for _, x in sorted(e.ledger.exposures.items())],
    }


def digest(e: Envelope) -> str:
    """Of what is admitted or provisional: changes when behaviour does, not when replicas come and go (D038)."""
    known = sorted((b, i.state) for b, i in e.items.items())
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _item(e: Envelope, behaviour: str) -> dict[str, Any]:
    i = e.items[behaviour]
    cells = [lane.cells[behaviour] for lane in e.lanes.values() if behaviour in lane.cells]
    out, into = e.volume_of(behaviour)
    return {
        "behaviour": behaviour,
        "state": i.state,
        "because": i.because,
        "dimension": dimension(behaviour),
        "count": sum(c.count for c in cells),
        "windows": sum(c.windows for c in cells),
        "first": min((c.first for c in cells), default=_begun(i, min, e.policy.day)),
        "last": max((c.last for c in cells), default=_begun(i, max, e.policy.day)),
        "days": len(i.days),
        "replicas": i.replicas,
        "revisions": sorted(i.revisions),
        "severity": rated(behaviour)[0],
        "technique": rated(behaviour)[1],
        "closure": closure(behaviour),
        "weight": _weight(e, i),
        "expires": _expires(e, i),
        "period_days": i.period or None,
        "substrate": _substrate(behaviour),
        "lineages": sorted(i.lineages),
        "bytes_out": _quantiles(out),
        "bytes_in": _quantiles(into),
        "schedule": _hours(i),
    }


def _begun(i: Item, which: Callable[[Iterable[int]], int], day: float) -> float:
    """When something without a count was seen: what was tolerated or accepted has days, but no cells yet."""
    return i.first or (which(i.days) * day if i.days else 0.0)


def closure(behaviour: str) -> str:
    """Whether a name stands for itself, for a template of paths, or for every host below a suffix.

    >>> closure("open:data:/tmp/run-*/out.json"), closure("egress:tcp:*.example.org:443"), closure("exec:/bin/sh<x")
    ('template', 'suffix', 'literal')
    """
    if "*" not in behaviour:
        return "literal"
    return "suffix" if behaviour.startswith(("egress:", "ingress:")) else "template"


def _weight(e: Envelope, i: Item) -> float:
    """Halves with every fourteen active days in which a behaviour was not seen; 1 if it was seen on the last one."""
    if not i.days:
        return 0.0
    since = sum(d > max(i.days) for d in e.days)
    return float(round(0.5 ** (since / HALF_LIFE), 4))


def _expires(e: Envelope, i: Item) -> float | None:
    """When it becomes dormant, or a dormant one is forgotten, if it is not seen again (seconds)."""
    if not i.days or i.state == RETIRED:
        return None
    wait = e.policy.forget_after if i.state == DORMANT else e.policy.dormant_after + 2 * i.period * e.policy.day
    return (max(i.days) + 1) * e.policy.day + wait


def _validity(e: Envelope, state: str) -> str:
    days = e.policy.validity / e.policy.day
    if state == "converged":
        return f"converged envelopes hold for {days:g} days after the last traffic"
    return f"no end: an envelope that is {state} is nothing to derive rules from"


def _dimensions(e: Envelope) -> dict[str, Any]:
    """Per dimension its state, the reason, and what the sessions say."""
    coverages = e.coverages()
    return {
        part: {
            "state": state,
            "because": because,
            "behaviours": coverages[part].seen,
            "singles": coverages[part].singles,
            "openers": coverages[part].openers,
            "expected_new_per_day": coverages[part].expected,
            "unseen_at_least": coverages[part].unseen,
        }
        for part, (state, because) in e.states(e.last).items()
    }


def _sign_off(e: Envelope) -> list[str]:
    """What a person should look at before anything is enforced: held back, or severe, or shown by few replicas."""
    few = min(3, max(1, e.replicas))
    return sorted(
        b
        for b, i in e.items.items()
        if i.state != RETIRED
        and not i.because.startswith(DECIDED)
        and (i.suspect or i.state == QUARANTINED or rated(b)[0] >= 2 or i.replicas < few)
    )


def _substrate(behaviour: str) -> str:
    kind = behaviour.split(":", 1)[0]
    return "network" if kind in ("egress", "ingress") else SUBSTRATES.get(kind, "observe_only")


def _quantiles(h: volume.Histogram) -> dict[str, int] | None:
    if not h:
        return None
    return {
        "windows": volume.count(h),
        "p50": volume.quantile(h, 0.5),
        "p99": volume.quantile(h, 0.99),
        "max": volume.maximum(h),
    }


def _hours(i: Item) -> list[int]:
    """Hours of the week (0 is Thursday 00:00 UTC, as the epoch began) of a behaviour that has a schedule."""
    return [h for h in range(168) if i.week >> h & 1] if i.scheduled else []


def _revisions(e: Envelope) -> dict[str, Any]:
    """The layer underneath: what each revision showed."""
    known: dict[str, set[str]] = {}
    for lane in e.lanes.values():
        known.setdefault(lane.revision or "unknown", set()).update(b for b in lane.cells if b.startswith(COUNTED))
    return {r: sorted(known[r]) for r in sorted(known)}


def _flow(key: str, flows: Mapping[str, Flow]) -> dict[str, Any]:
    """A peer's days: ln of the bytes and of the bytes per request (or window), and how far they have crept.

    `per` is the flow that it was steadier for than for requests, where its sum is the largest for that.
    """
    flow = flows[key]
    crept, per = largest(flow, flows)
    return {
        "behaviour": key[1:],
        "way": "out" if key[0] == OUT_WAY else "in",
        "start": flow.start,
        "ln_bytes": [None if v is None else round(v / cusum.UNIT, 3) for v in flow.values(flow.sizes)],
        "ln_per_request": [None if v is None else round(v / cusum.UNIT, 3) for v in flow.values(flow.rates)],
        "crept": None if crept is None else crept.total,
        "per": per,
        "limit": cusum.LIMIT,
    }


def _exposure(x: Any) -> dict[str, Any]:
    return {
        "node": x.replica.node,
        "cgroup": x.replica.cgroup,
        "generation": x.replica.generation,
        "revision": x.revision,
        "start": x.start,
        "end": x.end,
        "ended": x.ended,
        "gaps": [list(g) for g in x.gaps],
        "windows": x.windows,
        "lossy": x.lossy,
    }
