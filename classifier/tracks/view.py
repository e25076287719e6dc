"""Tracks as plain values: for people, for JSON."""

from __future__ import annotations

from typing import Any

from classifier.classes.known import Known
from classifier.classes.pins import ALLOW, DATA, ENFORCEMENT, REGULATION, REVERSIBILITY, STAGING, TRACK
from classifier.tracks.choice import REGULATED, choose, inputs
from classifier.tracks.exposure import exposed

OBSERVATION, ENFORCED, UNSEEN = "observation", "enforced", "not seen"
KINDS = (TRACK, DATA, REGULATION, REVERSIBILITY, ENFORCEMENT, STAGING, ALLOW)


def listed(known: Known) -> list[dict[str, Any]]:
    """One row per workload."""
    return [_row(known, workload) for workload in known.workloads() if _told(known, workload)]


def one(known: Known, workload: str) -> dict[str, Any] | None:
    """All about one workload's track; None if it was never seen and nobody said anything of it."""
    if not _told(known, workload):
        return None
    pins = [p for what in KINDS for p in known.pins.history(workload, what)]
    pins.sort(key=lambda p: (p.time, p.what, p.value))
    rows = [{"time": p.time, "what": p.what, "value": p.value or None, "actor": p.actor, "note": p.note} for p in pins]
    allowed = [
        {"behaviour": p.value, "until": p.until, "actor": p.actor, "note": p.note, "since": p.time}
        for p in known.pins.allowed(workload, known.now)
    ]
    return _row(known, workload) | {"pins": rows, "allowed": allowed}


def _told(known: Known, workload: str) -> bool:
    return workload in known.envelopes or any(known.pins.history(workload, what) for what in KINDS)


def _row(known: Known, workload: str) -> dict[str, Any]:
    i = inputs(known, workload)
    choice = choose(i)
    e, staging = known.envelopes.get(workload), known.pins.of(workload, STAGING)
    told = known.pins.of(workload, ENFORCEMENT)
    figures = exposed(e, known.pins.history(workload, ENFORCEMENT))
    mode = ENFORCED if figures.enforced_now else OBSERVATION if e is not None and e.windows else UNSEEN
    warnings = list(choice.warnings)
    if choice.track == REGULATED:
        warnings += ["observed without enforcement"] if mode == OBSERVATION else []
        warnings += ["no signed staging baseline"] if staging is None else []
    return {
        "workload": workload,
        "track": choice.track,
        "mode": mode,
        "enforcement_told_by": told.actor if told is not None else None,  # driftline has not checked it
        "because": choice.because,
        "proposed": choice.proposed,
        "warnings": warnings,
        "confirmed_by": choice.confirmed_by,
        "confirmed_at": choice.confirmed_at,
        "note": choice.note,
        "data": i.data or None,
        "regulation": i.regulation or None,
        "reversibility": i.reversibility or None,
        "class": i.agent_class,
        "state": i.state,
        "exposure_hours": figures.exposure,
        "enforced_hours": figures.enforced,
        "paused_hours": figures.paused,
        "hours_whole": figures.whole,
        "staging": staging.value if staging is not None else None,
    }
