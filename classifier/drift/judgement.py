"""Deviations that are due to causes, and causes to findings: first looks, later looks, and when the next one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.deploys.timeline import Timeline
from classifier.drift import contradiction, decision
from classifier.drift.bounds import bounds
from classifier.drift.cause import UNEXPLAINED, Cause, cause_id, read, related, write
from classifier.drift.continuity import continuity, interactive
from classifier.drift.contradiction import CONFLICT
from classifier.drift.correlation import Correlation, correlate
from classifier.drift.finding import EXPECTED, REVIEW, Finding, Signal
from classifier.drift.nearness import habitual, nearness
from classifier.drift.posterior import Weights
from classifier.drift.severity import severity
from classifier.drift.sighting import SLOW, Sighting
from classifier.drift.verdict import Judged, settled
from classifier.envelope.cusum import RECENT
from classifier.envelope.lineage import base
from classifier.envelope.strangers import DRIP, INTO, NEW, OUT
from wire.records import Deploy

if TYPE_CHECKING:
    from classifier.drift.ward import Ward

FORGERY = "forgery"
TURN = 60.0  # seconds between first sights of what one turn of an agent brought


def evaluate(w: Ward, now: float, timeline: Timeline, weights: Weights) -> list[Finding]:
    """Judge what is due, look again at what was judged, end probations and waits."""
    touched: dict[str, bool] = {}
    deploys = timeline.of(w.workload)
    due = [(k, _judge(w, s, deploys)) for k, s in w.sightings.items() if not s.cause and s.due <= now]
    # What nothing explains comes first, so that its companions find its cause.
    for key, judged in sorted(due, key=lambda d: _explained(d[1])):
        touched[_place(w, key, judged, now).id] = True
    for cause in w.causes.values():
        if cause.id not in touched and cause.open and _next_look(w, cause) <= now:
            touched[cause.id] = False
    looked = [_look(w, w.causes[c], deploys, now, weights, grew) for c, grew in touched.items()]
    w.wake = next_due(w)
    return [f for f in looked if f is not None]


def reconsider(w: Ward, now: float, timeline: Timeline, weights: Weights) -> list[Finding]:
    """A deploy event came: every open cause is judged anew."""
    deploys = timeline.of(w.workload)
    looked = [_look(w, c, deploys, now, weights, False, told=False) for c in list(w.causes.values()) if c.open]
    w.wake = next_due(w)
    return [f for f in looked if f is not None]


def next_due(w: Ward) -> float:
    """When something is to be judged, or looked at again (seconds)."""
    waiting = [s.due for s in w.sightings.values() if not s.cause]
    return min([*waiting, *(_next_look(w, c) for c in w.causes.values() if c.open)], default=float("inf"))


def _next_look(w: Ward, cause: Cause) -> float:
    """When a cause is looked at next (seconds)."""
    times = w.policy.evaluations
    later = [cause.opened + times[cause.evaluated]] if cause.evaluated < len(times) else []
    label = cause.finding.label if cause.finding is not None else ""
    later += [cause.opened + w.policy.probation] if label == EXPECTED else []
    later += [cause.opened + w.policy.review_age] if label == REVIEW else []
    return min([cause.again, *later])


# whose a deviation is -----------------------------------------------------------------------------------------------------


def _place(w: Ward, key: str, judged: Judged, now: float) -> Cause:
    """The cause of a deviation: that of the event which explains it, or an open one of its process tree.

    A deviation that an event fits but whose pattern is broken belongs to its process tree first: after a rollout
    the curl of an intruder may look like the rollout's, his shell does not.
    """
    s = w.sightings[key]
    c = judged.correlation
    # An ordinary file comes with the change that may have brought it.
    sure = c.signal.holds is True or (c.possible and severity(s.behaviour) == 0)
    name = f"deploy:{c.deploy}" if sure else f"maybe:{c.deploy}" if c.possible else UNEXPLAINED
    names = [name, *(f"deploy:{d}" for d in c.others)] if sure else [name]
    names = names if _explained(judged) else list(dict.fromkeys((UNEXPLAINED, *names)))
    found = (cause for n in names for cause in reversed(w.causes.values()) if _belongs(w, s, cause, n))
    cause = next(found, None) or _opened(w, key, name, now)
    cause.members.append(key)
    cause.last = max(cause.last, s.last)
    s.cause = cause.id
    return cause


def _opened(w: Ward, key: str, name: str, now: float) -> Cause:
    s = w.sightings[key]
    if len(w.causes) >= w.policy.max_findings:
        w.make_room()
    id = cause_id(w.workload, name, key if s.why == CONFLICT else s.behaviour, s.first)
    cause = w.causes[id] = Cause(id, w.workload, name, now, s.last)
    cause.early = w.envelope.stage == "converging"
    return cause


def _belongs(w: Ward, s: Sighting, cause: Cause, name: str) -> bool:
    if not cause.open or cause.key != name or len(cause.members) >= w.policy.max_members:
        return False
    others = [w.sightings[m] for m in cause.members]
    if CONFLICT in (s.why, others[0].why):
        return False
    if (s.why == FORGERY) != (others[0].why == FORGERY):
        return False
    if name.startswith("deploy:"):
        return True
    # By first sights: what a behaviour once brought goes on for weeks, and would tie everything to itself.
    return related(s, others) and any(abs(s.first - o.first) <= _near(w, s, o) or _one_task(s, o) for o in others)


def _near(w: Ward, s: Sighting, o: Sighting) -> float:
    """Seconds between first sights within which two deviations may have one cause; a drip is dated to days."""
    return RECENT * w.policy.day if s.why in SLOW and o.why in SLOW else w.policy.cause_window


def _one_task(s: Sighting, o: Sighting) -> bool:
    """Whether one turn of an agent brought both, the second soon after the first: a slow read, and then its write.

    Of use only where a policy's hours are seconds, as in a story: a turn that a workload keeps open must not carry a theft into
    a review of days ago, whose looks are over. Nor must somebody's shell, who explains what is near it and no more.
    """
    if abs(s.first - o.first) > TURN or interactive(s) or interactive(o):
        return False
    return not s.tasks.keys().isdisjoint(o.tasks)


# one deviation ------------------------------------------------------------------------------------------------------------


def _judge(w: Ward, s: Sighting, deploys: list[Deploy]) -> Judged:
    if s.why == FORGERY:
        no = Signal(False, 0.0, s.note)
        return Judged(s, Correlation(no, why_none=s.note), no, Signal(None, 0.0, "not applicable"))
    if s.why == CONFLICT:
        return contradiction.judged(s)
    p = w.policy
    c = correlate(s, deploys, w.envelope.ledger, p)
    if s.continuity is None or (c.named and not s.named):
        s.named = c.named
        s.near, s.habit = nearness(s, w.envelope), habitual(s, w.envelope)
        s.continuity, s.continuity_terms = continuity(
            s, w.envelope, p.continuity, named=c.named, helpers=_helpers(w, s) if s.why == NEW else ()
        )
    peaks = s.peak_out, s.peak_in, s.note + s.broken
    if s.bounds is None or s.bounded != peaks:
        s.bounds, s.bounded = bounds(s, w.envelope, p), peaks
    judged = Judged(s, c, s.continuity, s.bounds)
    return settled(judged, far=p.far, times=p.times, least=p.unusual, young=_young(w, s))


def _young(w: Ward, s: Sighting) -> bool:
    """Whether a behaviour, or the revision that shows it, has been watched for too short a time."""
    item = w.envelope.items.get(s.behaviour)
    if s.why not in (OUT, INTO, DRIP) or item is None:
        return False
    known = s.first - item.first >= w.policy.converged_days * w.policy.day
    newest = w.envelope.ledger.newest(s.first)
    # A drip is dated to the day.
    fresh = newest is not None and s.first - newest < w.policy.day * (3 if s.why == DRIP else 1)
    return w.envelope.stage != "converged" or not known or fresh


def _helpers(w: Ward, by: Sighting) -> set[str]:
    """New programs that lie where their owner runs others from; for an ordinary file a known owner is enough."""
    least = 1.0 if severity(by.behaviour) else 0.8
    new = (s for s in w.sightings.values() if s.behaviour.startswith("exec:") and s.why == NEW)
    return {
        base(s.behaviour[5:].partition("<")[0])
        for s in new
        if s.layer not in ("memfd", "upper")
        and any(t.name == "lineage" and t.value >= least for t in s.continuity_terms)
    }


def _explained(j: Judged) -> bool:
    """Whether an event accounts for a deviation without anything speaking against it."""
    return j.correlation.signal.holds is True and j.continuity.holds is not False


# one cause ----------------------------------------------------------------------------------------------------------------


def _look(
    w: Ward, cause: Cause, deploys: list[Deploy], now: float, weights: Weights, grew: bool, *, told: bool = True
) -> Finding | None:
    """Judge a cause; returns its finding if there is something new to say."""
    before = cause.finding
    members = [_judge(w, w.sightings[m], deploys) for m in cause.members]
    reading = read(members, w.envelope, weights, _expected(w), early=cause.early)
    cause.risky = reading.posterior.risky
    cause.again = float("inf") if cause.again <= now else cause.again
    cause.finding = write(cause, members, reading, now, w.policy, grew=grew)
    times = w.policy.evaluations
    while cause.evaluated < len(times) and cause.opened + times[cause.evaluated] <= now:
        cause.evaluated += 1
    if cause.finding is None:
        decision.tolerate(w, cause)
        return None
    decision.refuse(w, cause)
    decision.elapse(w, cause, now)
    changed = before is None or before.version != cause.finding.version
    if not changed and not (told and cause.finding.count != cause.told):
        return None
    cause.told = cause.finding.count
    return cause.finding


def _expected(w: Ward) -> dict[str, float]:
    """How often something new is nothing special here; counted once a day."""
    if w.expected_day != w.envelope.day:
        w.expected = {d: c.expected for d, c in w.envelope.coverages().items()}
        w.expected_day = w.envelope.day
    return w.expected
