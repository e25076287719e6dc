"""Classes as plain, sorted values: for people, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from classifier.classes.baselines import LEAST, baseline
from classifier.classes.facts import facts
from classifier.classes.known import Known
from classifier.classes.pins import CLASS
from classifier.classes.priors import USED_IN, prior
from classifier.classes.proposal import PATIENCE, Proposal
from classifier.classes.score import Ranking, Score, rank
from classifier.classes.table import CLASSES, UNKNOWN, stricter
from wire.records import Pin


def listed(known: Known) -> list[dict[str, Any]]:
    """One row per workload."""
    return [_row(known, workload) for workload in known.workloads() if _told(known, workload)]


def one(known: Known, workload: str) -> dict[str, Any] | None:
    """All about one workload's class; None if it was never seen and has no pin."""
    if not _told(known, workload):
        return None
    proposal = known.proposals.get(workload, Proposal())
    history = known.pins.history(workload, CLASS)
    found = _row(known, workload) | {
        "changes": [asdict(c) for c in proposal.changes],
        "rival": {"class": proposal.rival, "days": proposal.days, "needed": PATIENCE} if proposal.rival else None,
        "pins": [_pin(p) for p in history],
    }
    e = known.envelopes.get(workload)
    if e is None:
        return found
    ranking = rank(facts(e), least_days=known.policy.learn_days)
    return found | {
        "now": _now(ranking),
        "scores": [_score(s, ranking) for s in ranking.scores],
        "prior": _prior(known, workload),
    }


def shared(known: Known, name: str) -> dict[str, Any] | None:
    """The baseline of a class; None if there is no such class."""
    if name not in CLASSES:
        return None
    found = baseline(name, known)
    return {
        "class": name,
        "words": CLASSES[name].words,
        "workloads": found.workloads,
        "enough": found.workloads >= LEAST,
        "digest": found.digest,
        "novelty": dict(found.novelty),
        "shapes": [asdict(s) | {"share": round(s.support / found.workloads, 3)} for s in found.shapes],
        "prior": _plain_prior(name, known),
    }


def _told(known: Known, workload: str) -> bool:
    return workload in known.envelopes or bool(known.pins.history(workload, CLASS))


def _row(known: Known, workload: str) -> dict[str, Any]:
    pin, proposed = known.pins.of(workload, CLASS), known.proposed(workload)
    differs = pin is not None and proposed not in (UNKNOWN, pin.value)
    changes = known.proposals[workload].changes if workload in known.proposals else []
    return {
        "workload": workload,
        "class": known.class_of(workload),
        "proposed": proposed,
        "pinned": pin.value if pin is not None else None,
        "pinned_by": pin.actor if pin is not None else None,
        "pinned_at": pin.time if pin is not None else None,
        "note": pin.note if pin is not None else None,
        "because": changes[-1].because if changes else _why_not(known, workload),
        "since": changes[-1].time if changes else None,
        # Until somebody decides, gates take the stricter of what is pinned and what is seen.
        "retier_required": differs and stricter(proposed, pin.value) == proposed if pin is not None else False,
        "stricter": stricter(known.class_of(workload), proposed),
    }


def _why_not(known: Known, workload: str) -> str:
    e = known.envelopes.get(workload)
    return "not seen yet" if e is None else rank(facts(e), least_days=known.policy.learn_days).because


def _now(ranking: Ranking) -> dict[str, Any]:
    return {"winner": ranking.winner, "because": ranking.because, "margin": ranking.margin}


def _score(score: Score, ranking: Ranking) -> dict[str, Any]:
    """A class with its reasons; why it lost, in words."""
    best = ranking.scores[0]
    behind = round(best.points - score.points, 3)
    lost = "" if score.name == best.name else f"{behind:g} points behind {best.name}" + _against(score)
    return {
        "class": score.name,
        "points": score.points,
        "lost": lost,
        "reasons": [asdict(r) | {"shown_by": list(r.shown_by)} for r in score.reasons],
    }


def _against(score: Score) -> str:
    """What speaks against a class, or that nothing present speaks for it."""
    against = [f"{r.words} ({r.points:+g})" for r in score.reasons if r.points < 0]
    if against:
        return ": " + ", ".join(against[:2])
    return "" if score.present else ": nothing that is there speaks for it"


def _prior(known: Known, workload: str) -> dict[str, Any] | None:
    """What its class makes one expect, while its own envelope says little."""
    name = known.class_of(workload)
    used = known.state(workload)[0] in USED_IN and name != UNKNOWN
    return _plain_prior(name, known) if used else None


def _plain_prior(name: str, known: Known) -> dict[str, Any]:
    found = prior(name, baseline(name, known))
    return {
        "class": name,
        "workloads": found.workloads,
        "novelty": dict(found.novelty),
        "tolerated": dict(found.tolerated),
    }


def _pin(pin: Pin) -> dict[str, Any]:
    return {"time": pin.time, "value": pin.value or None, "actor": pin.actor, "note": pin.note}
