"""What time and people decide about a cause: probation, age of a review, triage; and what the envelope does then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from classifier.drift.cause import Cause, counted
from classifier.drift.contradiction import AGREED, CONFLICT
from classifier.drift.finding import ACCEPTED, AGED, DISMISSED, EXPECTED, OPEN, REVIEW, RISKY, Version
from classifier.drift.verdict import LEVELS
from classifier.envelope.strangers import ALONE, NEW, RETURN
from wire.records import Triage

if TYPE_CHECKING:
    from classifier.drift.ward import Ward


def elapse(w: Ward, cause: Cause, now: float) -> None:
    """Probation and review end in a decision."""
    f = cause.finding
    if f.label == EXPECTED and now >= cause.opened + w.policy.probation:
        admit(w, cause, f"event {f.deploy}, probation ended {now:.0f}, finding {f.id}")
        close(w, cause, ACCEPTED, f.label, now, f"probation of {w.policy.probation:g} s ended")
    elif f.label == REVIEW and now >= cause.opened + w.policy.review_age:
        failed = any(s.holds is False for s in f.signals[1:])
        days = w.policy.review_age / w.policy.day
        words = f"{w.policy.review_owner} did not decide within {days:g} days"
        close(w, cause, AGED, RISKY if failed else REVIEW, now, words)


def tolerate(w: Ward, cause: Cause) -> None:
    """What looked like normal variance to the last: its behaviours are kept in view, provisional, and the cause goes."""
    if cause.evaluated < len(w.policy.evaluations):
        return
    for m in cause.members:
        s = w.sightings.pop(m)
        if s.why in (NEW, RETURN):  # a bound that was left is not widened: many small steps would lead anywhere
            w.envelope.tolerate(s.behaviour, f"now and then: risky {cause.risky:g}", s.first)
            w.envelope.widen(s.behaviour, 0, 0, s.lineages, s.first)
    del w.causes[cause.id]
    w.variance += 1


def person(w: Ward, cause: Cause, triage: Triage) -> bool:
    """Carry out what a person decided; False if there is nothing to decide or nobody knows the decision."""
    if cause.finding is None or cause.finding.state in (ACCEPTED, DISMISSED):
        return False
    words = f"{triage.actor} decided {triage.decision}" + (f": {triage.note}" if triage.note else "")
    label = cause.finding.label
    if triage.decision in ("accept", "adopt"):
        admit(w, cause, words)
        close(w, cause, ACCEPTED, label, triage.time, words)
    elif triage.decision == "dismiss":
        close(w, cause, DISMISSED, label, triage.time, words)
    elif triage.decision in ("reject", "risky"):
        close(w, cause, OPEN, RISKY, triage.time, words)
        refuse(w, cause)
        cause.decided = True
    else:
        return False
    return True


def refuse(w: Ward, cause: Cause) -> None:
    """What is risky is never learned, also not by time; what turned out to be expected may be."""
    for m in cause.members:
        s = w.sightings[m]
        if cause.finding.label == RISKY and s.why in (NEW, ALONE):
            w.envelope.sticky.setdefault(s.behaviour, cause.id)
        elif w.envelope.sticky.get(s.behaviour) == cause.id:
            del w.envelope.sticky[s.behaviour]


def admit(w: Ward, cause: Cause, because: str) -> None:
    """Its behaviours, quantities and owners are the envelope's from now on."""
    for m in cause.members:
        s = w.sightings[m]
        if s.why == CONFLICT:
            w.agreed = dict([*w.agreed.items(), (s.note, cause.id)][-AGREED:])
            continue
        if s.why in (NEW, RETURN, ALONE):
            w.envelope.admit(s.behaviour, because, s.first)
        w.envelope.widen(s.behaviour, s.peak_out, s.peak_in, s.lineages, s.first)


def close(w: Ward, cause: Cause, state: str, label: str, now: float, words: str) -> None:
    """Write the last version of a finding, with who or what closed it."""
    f = cause.finding
    version = f.version + 1
    level = max(f.severity, "medium", key=LEVELS.index) if label == RISKY else f.severity
    f = replace(
        f,
        version=version,
        label=label,
        severity=level,
        state=state,
        updated=now,
        because=f"{f.because} Then: {words}.",
        history=(*f.history, Version(version, label, now, words)),
    )
    cause.finding = counted(f, [w.sightings[m] for m in cause.members])
    if state == ACCEPTED:
        for m in cause.members:
            w.sightings.pop(m, None)
        cause.members = []
