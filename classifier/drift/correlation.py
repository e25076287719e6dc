"""Does a deploy event explain a deviation? By cause, not by coincidence.

A deviation follows from a change if the replicas of the new revision show it and those of the old one beside them do
not, if the change is of a kind that makes such behaviour, and if its sender, whom we believe, declared it. Time alone
proves nothing: an attack may wait for a rollout (drift-model 4.2, terms 1 to 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from classifier.deploys.timeline import covers, names, trusted
from classifier.drift.compatibility import fits, implied, kind_of
from classifier.drift.finding import Signal, Term
from classifier.drift.severity import severity
from classifier.drift.sighting import Sighting
from classifier.envelope.ledger import Exposure, Ledger
from classifier.policy import Policy
from wire.records import Deploy

DECAY = ((0.5, 1.0), (0.3, 8.0), (0.2, 72.0))  # share, hours: how soon after its start a change shows
RATE = math.log(1 / 720)  # one unexplained novelty a month
CAP = 8.0  # of the revision term
HOT = 0.7  # weight of the revision term for a change without a new revision: nobody stands beside it
LEAST = -1.0  # of the kind term, where nothing was declared
GRID = [math.exp(math.log(1e-4) + i * math.log(3e5) / 39) for i in range(40)]  # hits per hour
GAMMA = math.lgamma(0.8)


@dataclass(frozen=True, slots=True)
class Correlation:
    """How one event stands to one deviation; without an event, why there is none."""

    signal: Signal
    terms: tuple[Term, ...] = ()
    deploy: str | None = None  # id, only if the signal holds
    named: bool = False  # the declared scope of a believed event names the behaviour
    why_none: str = ""
    change: str = ""  # kind of the event
    others: tuple[str, ...] = ()  # ids of further events that explain it too

    @property
    def holds(self) -> bool:
        return bool(self.signal.holds)


@dataclass(frozen=True, slots=True)
class Group:
    """Replicas of one side: who has it, for how many hours each was watched, and of how many that is unknown."""

    hits: tuple[float, ...]  # hours
    misses: tuple[float, ...]
    unknown: int


def correlate(s: Sighting, deploys: Iterable[Deploy], ledger: Ledger, policy: Policy) -> Correlation:
    """The best explanation among a workload's events."""
    near = [d for d in deploys if covers(d, s.first, policy)]
    fit = [judge(d, s, ledger, policy) for d in near if trusted(d) and not late(d, policy)]
    if fit:
        best = max(fit, key=lambda c: (c.holds, c.signal.value))
        return replace(best, others=tuple(c.deploy for c in fit if c.deploy and c.deploy != best.deploy))
    words = _why_none(s, near, ledger, policy)
    return Correlation(Signal(False, 0.0, words), why_none=words)


def late(d: Deploy, policy: Policy) -> bool:
    """Whether an event came too late to change a label."""
    return d.received - d.time > policy.relabel


def _why_none(s: Sighting, near: list[Deploy], ledger: Ledger, policy: Policy) -> str:
    parts = [
        f"event {d.id} came {(d.received - d.time) / policy.hour:.1f} h late, no relabel"
        for d in near
        if late(d, policy)
    ]
    parts += [f"event {d.id} has no weight: trust is {d.trust}" for d in near if not trusted(d)]
    if not near:
        before, after = policy.deploy_before / policy.hour, policy.deploy_after / policy.hour
        parts.append(f"no matching event within {after:g} h before and {before:g} h after")
    known = ledger.revisions()
    newest = list(known)[-1] if len(known) > 1 else None
    if newest is not None and newest in s.revisions and s.first - known[newest] <= policy.deploy_after:
        parts.append(f"new revision {newest} without an authenticated event")
    return "; ".join(parts)


def judge(d: Deploy, s: Sighting, ledger: Ledger, policy: Policy) -> Correlation:
    """How one believed event explains one deviation, term by term."""
    new, old = _sides(d, s, ledger, policy)
    pattern = names(d, s.behaviour)
    kind = fits(d.kind, kind_of(s.behaviour, s.why))
    terms = (
        _time(d, s, ledger, policy),
        _revision(d, new, old),
        Term("kind", kind, f"{d.kind} change against {kind_of(s.behaviour, s.why)}"),
        _scope(d, s, pattern),
    )
    total = round(sum(t.value for t in terms), 4)
    veto = _veto(d, s, new, old, pattern, kind)
    holds = not veto and total > 0
    why = veto or ("" if holds else f"terms of event {d.id} sum to {total:+.1f}")
    words = f"event {d.id} ({d.kind}): " + ", ".join(f"{t.words} ({t.value:+.1f})" for t in terms)
    words += f"; refused because {why}" if why else ""
    signal = Signal(holds, total, words)
    return Correlation(signal, terms, d.id if holds else None, pattern is not None and holds, why, d.kind)


def _veto(d: Deploy, s: Sighting, new: Group, old: Group, pattern: str | None, kind: float) -> str:
    """What no sum of other terms can outweigh; "" if nothing stands against it."""
    if old.hits:
        return f"{len(old.hits)} replicas of other revisions show it too"
    if not new.hits:
        return f"no replica of revision {d.revision} shows it" if d.revision else "no replica shows it"
    if pattern is not None:
        return ""
    if d.scope and not implied(d.kind, s.behaviour):
        return f"the declared scope of {len(d.scope)} patterns does not name it (scope_match=false)"
    if severity(s.behaviour) >= 2 and not _widespread(new):
        # Placement is what an intruder in one replica cannot fake (drift-model 4.6).
        return f"nobody declared this, and {len(new.hits)} of {len(new.hits) + len(new.misses)} replicas are too few"
    return f"a {d.kind} change does not make this ({kind:+.1f})" if kind < LEAST else ""


def _widespread(new: Group) -> bool:
    """Whether at least two replicas with the change show it, and half of them."""
    return len(new.hits) >= 2 and len(new.hits) >= len(new.misses)


def _scope(d: Deploy, s: Sighting, pattern: str | None) -> Term:
    if pattern is not None:
        return Term("scope", 3.0, f"named by {pattern!r}")
    if not d.scope:
        return Term("scope", 0.0, "nothing declared")
    if implied(d.kind, s.behaviour):
        return Term("scope", 0.0, "not named, but such files come with the change")
    return Term("scope", -3.0, "not in the declared scope")


def _sides(d: Deploy, s: Sighting, ledger: Ledger, policy: Policy) -> tuple[Group, Group]:
    """Replicas that carry the change, and all others."""
    exposures = ledger.exposures.values()
    if d.revision is None:  # applied to running replicas: whatever ran after it carries it
        return _group([e for e in exposures if e.end >= d.time], s, policy), Group((), (), 0)
    new = [e for e in exposures if e.revision == d.revision]
    old = [e for e in exposures if e.revision not in (d.revision, None) and _lately(e, s, policy)]
    return _group(new, s, policy), _group(old, s, policy)


def _lately(e: Exposure, s: Sighting, policy: Policy) -> bool:
    return e.replica in s.sights or e.end >= s.first - policy.exposure_cap * policy.hour


def _group(exposures: Iterable[Exposure], s: Sighting, policy: Policy) -> Group:
    hits, misses, unknown = [], [], 0
    for e in exposures:
        hours = min(policy.exposure_cap, e.seen(e.start, max(e.end, s.last)) / policy.hour)
        if e.replica in s.sights:
            hits.append(hours)
        elif e.gaps:
            unknown += 1  # it may have shown it while nobody looked
        else:
            misses.append(hours)
    return Group(tuple(sorted(hits)), tuple(sorted(misses)), unknown)


def _time(d: Deploy, s: Sighting, ledger: Ledger, policy: Policy) -> Term:
    """Hours since the replica took up the change, against a constant rate of novelty."""
    starts = [ledger.exposures[r].start for r in s.sights if r in ledger.exposures]
    begin = max(d.time, min(starts)) if starts and d.revision is not None else d.time
    hours = max(0.0, s.first - begin) / policy.hour
    density = sum(w * math.exp(-hours / tau) / tau for w, tau in DECAY)
    value = math.log(max(density, 1e-30)) - RATE
    return Term("time", round(max(-CAP, min(value, CAP)), 4), f"first seen {hours:.2f} h after it")


def _revision(d: Deploy, new: Group, old: Group) -> Term:
    value = rate_ratio(new, old)
    words = f"on {len(new.hits)} of {len(new.hits) + len(new.misses)} replicas with the change"
    words += f" and {len(old.hits)} of {len(old.hits) + len(old.misses)} without" if d.revision else ", all carry it"
    hidden = new.unknown + old.unknown
    words += f", {hidden} unknown" if hidden else ""
    return Term("revision", round(value if d.revision else HOT * value, 4), words)


def rate_ratio(new: Group, old: Group) -> float:
    """ln of how much better "each replica with the change shows it at one rate" explains the hits than "a few do".

    >>> every, one = Group((5.0,) * 6, (), 0), Group((5.0,), (5.0,) * 5, 0)
    >>> rate_ratio(every, Group((), (), 0)) > 0 > rate_ratio(one, Group((), (), 0))
    True
    """
    k, n = len(new.hits), len(new.hits) + len(new.misses)
    if n == 0:
        return 0.0
    evolution = _marginal(new) - 6.0 * min(len(old.hits), 3)
    rare = _beta(1 + k, 30 + n - k) - _beta(1, 30)
    return max(-CAP, min(evolution - rare, CAP))


def _marginal(g: Group) -> float:
    """ln of the hits' likelihood under one rate, Gamma(0.8, 1) over rates, by a trapezoid on a logarithmic grid."""
    step = math.log(GRID[1] / GRID[0])
    logs = []
    for rate in GRID:
        prior = -0.2 * math.log(rate) - rate - GAMMA + math.log(rate * step)
        hit = sum(math.log(-math.expm1(-rate * max(x, 1e-3))) for x in g.hits)
        logs.append(prior + hit - rate * sum(g.misses))
    top = max(logs)
    return top + math.log(sum(math.exp(v - top) for v in logs))


def _beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
