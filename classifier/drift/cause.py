"""Deviations with one cause to one finding."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from classifier.drift import contradiction, source
from classifier.drift.features import features
from classifier.drift.finding import (
    EXPECTED,
    OPEN,
    REVIEW,
    RISKY,
    Considered,
    Deviation,
    Finding,
    Posterior,
    Signal,
    Term,
    Version,
)
from classifier.drift.posterior import Weights
from classifier.drift.severity import rated
from classifier.drift.sighting import SLOW, Sighting
from classifier.drift.verdict import VARIANCE, Judged, Verdict, carried, together, verdict
from classifier.envelope.dimensions import TOTAL
from classifier.envelope.envelope import Envelope
from classifier.envelope.state import stored
from classifier.policy import Policy

UNEXPLAINED = "unexplained"
EVIDENCE = 64  # ids on a finding


@stored
@dataclass(slots=True)
class Cause:
    """What belongs together, and the finding it was last written as. Times in seconds."""

    id: str
    workload: str
    key: str  # "deploy:ID", "maybe:ID" where the event may explain it, or "unexplained"
    opened: float
    last: float  # latest sight of a member when it was last judged
    members: list[str] = field(default_factory=list)  # keys of sightings
    finding: Finding | None = None
    evaluated: int = 0  # how many of the later looks are done
    risky: float = 0.0  # its last probability of being risky
    told: int = 0  # count when it was last handed out
    decided: bool = False  # a person said so; no later event changes the label
    again: float = float("inf")  # when it is looked at out of turn, because a member grew beyond what was judged
    early: bool = False  # it was opened before a weekly job could be known, and has not outgrown that

    @property
    def open(self) -> bool:
        return self.finding is None or (self.finding.state == OPEN and not self.decided)


def cause_id(workload: str, key: str, behaviour: str, first: float) -> str:
    """The same cause has the same id wherever the stream is replayed."""
    return hashlib.sha256(f"{workload}\n{key}\n{behaviour}\n{first!r}".encode()).hexdigest()[:16]


def related(s: Sighting, others: Sequence[Sighting]) -> bool:
    """Whether a deviation is of the same process tree as others: a common replica, or one line of ancestors.

    What crept up is of the whole workload, and of all its peers.
    """
    if s.why in SLOW and any(o.why in SLOW for o in others):
        return True
    return any(not s.sights.keys().isdisjoint(o.sights) or s.behaviour == o.behaviour or _kin(s, o) for o in others)


def _kin(one: Sighting, two: Sighting) -> bool:
    """One lineage ends in the other, and not only in the common root."""
    pairs = ((a, b) for a in one.lineages for b in two.lineages)
    return any(min(a.count("<"), b.count("<")) >= 1 and (a.endswith(b) or b.endswith(a)) for a, b in pairs)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cause looks like at one moment."""

    signals: tuple[Signal, Signal, Signal]
    terms: tuple[Term, ...]
    posterior: Posterior
    verdict: Verdict


def read(
    members: Sequence[Judged],
    envelope: Envelope,
    weights: Weights,
    expected: Mapping[str, float],
    *,
    early: bool = False,
) -> Reading:
    """Signals, posterior and label of a cause.

    Args:
        expected: Sessions with something new that the workload shows by itself in a day, per dimension and in all.
        early: It was opened before a weekly job could be known; what it was then called stands when the fortnight is over.
    """
    d, p, r = together(members)
    signals = (d, p, carried(members, r, far=envelope.policy.volume_z))
    terms = features(members, envelope, expected)
    posterior = weights.judge(terms, members)
    quiet = expected.get(TOTAL, 0.0) <= envelope.policy.quiet
    v = contradiction.verdict(members) or verdict(
        members, signals, posterior, weights.limits, quiet=quiet, fortnight=not early
    )
    return Reading(signals, weights.explain(terms), posterior, v)


def write(
    cause: Cause, members: Sequence[Judged], reading: Reading, now: float, policy: Policy, *, grew: bool
) -> Finding | None:
    """The finding of a cause as things stand: a new version if the label changed or a deviation joined.

    None while it is no more than what the workload does now and then by itself. A finding that was once told is never
    taken back: it stays a review.
    """
    signals, v, before = reading.signals, reading.verdict, cause.finding
    if v.label == VARIANCE:
        if before is None:
            return None
        if before.label == EXPECTED and signals[0].holds is not False:
            # What an event explained stays explained until something speaks against it.
            v = Verdict(EXPECTED, "info", f"{v.rule}; an event explained it, and nothing speaks against that since")
        else:
            v = Verdict(REVIEW, "low", f"{v.rule}; by now it looks like normal variance, but it has been told")
    same = before is not None and before.label == v.label and not grew
    version = 1 if before is None else before.version + (not same)
    because = _because(cause, members, signals, v)
    history = before.history if before is not None else ()
    if not same:
        history = (*history, Version(version, v.label, now, because))
    deploy = _deploy(cause, members)
    sightings = [m.sighting for m in members]
    weakest = min(members, key=lambda m: (m.correlation.possible, m.correlation.signal.value)).correlation
    attribution, attributed = source.of(members)
    finding = Finding(
        id=cause.id,
        version=version,
        workload=cause.workload,  # type: ignore[arg-type]
        label=v.label,
        severity=v.severity,
        opened=cause.opened,
        updated=now,
        title=_title(cause, sightings, deploy, v),
        because=because,
        signals=signals,
        deploy=deploy,
        why_no_deploy="" if deploy else _why_none(members),
        deviations=tuple(_deviation(m) for m in members),
        replicas=0,
        revisions=(),
        count=0,
        evidence=(),
        history=history,
        state=before.state if before is not None else OPEN,
        partial=any(s.partial for s in sightings),
        owner=policy.review_owner if v.label == REVIEW else "",
        review_until=cause.opened + policy.review_age if v.label == REVIEW else None,
        posterior=reading.posterior,
        terms=reading.terms,
        considered=_considered(members),
        placement=weakest.placement,
        magnitude="trust-breaking" if v.label == RISKY and v.severity in ("high", "critical") else "material",
        attribution=attribution,
        attribution_because=attributed,
    )
    return counted(finding, sightings)


def _considered(members: Sequence[Judged]) -> tuple[Considered, ...]:
    """Every event that was held against a member, once, with what it said of the member it explains least."""
    worst: dict[str, Considered] = {}
    for m in members:
        for c in m.correlation.considered:
            known = worst.get(c.deploy)
            if known is None or (c.explains, c.value) < (known.explains, known.value):
                worst[c.deploy] = c
    return tuple(sorted(worst.values(), key=lambda c: (not c.explains, -c.value, c.deploy)))


def counted(finding: Finding, sightings: Sequence[Sighting]) -> Finding:
    """A finding with the counts of this moment.

    Args:
        sightings: Of its deviations, in their order; none once the envelope has taken them in.
    """
    if not sightings:
        return finding
    deviations = tuple(map(_recounted, finding.deviations, sightings))
    evidence = dict.fromkeys(e for s in sightings for e in s.evidence)
    return replace(
        finding,
        deviations=deviations,
        replicas=len({r for s in sightings for r in s.sights}) + max(s.overflow for s in sightings),
        revisions=tuple(sorted({r for s in sightings for r in s.revisions})),
        count=sum(s.count for s in sightings),
        evidence=tuple(evidence)[:EVIDENCE],
    )


def _recounted(d: Deviation, s: Sighting) -> Deviation:
    return replace(
        d,
        last=s.last,
        count=s.count,
        replicas=len(s.sights) + s.overflow,
        revisions=s.revisions,
        bytes_out=s.bytes_out,
        bytes_in=s.bytes_in,
    )


def _deviation(m: Judged) -> Deviation:
    s, (level, technique) = m.sighting, rated(m.sighting.behaviour)
    return Deviation(
        s.behaviour,  # type: ignore[arg-type]
        s.why,
        level,
        technique,
        s.first,
        s.last,
        s.count,
        len(s.sights),
        s.revisions,
        s.bytes_out,
        s.bytes_in,
        s.lineage,
        (m.correlation.signal, m.continuity, m.bounds),
        (*m.correlation.terms, *s.continuity_terms),
    )


def _deploy(cause: Cause, members: Sequence[Judged]) -> str | None:
    """The event all members rest on: the one the cause was opened for, if there is one."""
    ids = {m.correlation.deploy for m in members}
    if None in ids:
        return None
    opened_for = cause.key.removeprefix("deploy:").removeprefix("maybe:")
    return opened_for if cause.key != UNEXPLAINED else max(i for i in ids if i)


def _why_none(members: Sequence[Judged]) -> str:
    return next((m.correlation.why_none for m in members if m.correlation.why_none), "no event explains all of it")


def _title(cause: Cause, sightings: Sequence[Sighting], deploy: str | None, v: Verdict) -> str:
    if sightings[0].why == "forgery":
        return f"deploy_event_forgery: {sightings[0].note}"
    if sightings[0].why == contradiction.CONFLICT:
        return f"self_report_conflict: {sightings[0].note}"
    worst = max(sightings, key=lambda s: rated(s.behaviour)[0])
    more = f" and {len(sightings) - 1} more" if len(sightings) > 1 else ""
    what = "" if worst.why == "new" else f" ({worst.why}{': ' + worst.note if worst.note else ''})"
    end = (
        f"explained by event {deploy}"
        if v.label == EXPECTED
        else f"event {deploy}"
        if deploy
        else "no event explains it"
    )
    return f"{worst.behaviour}{what}{more}: {end}"


def _because(cause: Cause, members: Sequence[Judged], signals: tuple[Signal, Signal, Signal], v: Verdict) -> str:
    first = min(m.sighting.first for m in members)
    replicas = len({r for m in members for r in m.sighting.sights})
    names = ", ".join(m.sighting.behaviour for m in members[:5]) + (
        f" and {len(members) - 5} more" if members[5:] else ""
    )
    words = "; ".join(
        f"{n} {_answer(s)}: {s.words}"
        for n, s in zip(("deploy correlation", "pattern continuity", "resource bounds"), signals, strict=True)
    )
    count = sum(m.sighting.count for m in members)
    where = f"{count} times on {replicas} replicas since {first:.3f}"
    return f"{names}: {where}. {words}. {v.label} ({v.severity}) by {v.rule}."


def _answer(s: Signal) -> str:
    return "unknown" if s.holds is None else "yes" if s.holds else "no"
