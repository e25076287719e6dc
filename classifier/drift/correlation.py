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
from classifier.drift.finding import Considered, Placement, Signal, Term
from classifier.drift.severity import severity
from classifier.drift.sighting import SLOW, Sighting
from classifier.envelope.ledger import Exposure, Ledger
from classifier.policy import Policy
from wire.records import Deploy

DECAY = ((0.5, 1.0), (0.3, 8.0), (0.2, 72.0))  # share, hours: how soon after its start a change shows
RATE = math.log(1 / 720)  # one unexplained novelty a month
CAP = 8.0  # of the revision term
HOT = 0.7  # weight of the revision term for a change without a new revision: nobody stands beside it
LEAST = -1.0  # of the kind term, where nothing was declared
FRESH = 0.1  # hours that a replica counts for whose first window is still to come
PLACED = 1.0  # of the revision term, from which on the replicas alone can decide
GRID = [math.exp(math.log(1e-4) + i * math.log(3e5) / 39) for i in range(40)]  # hits per hour
GAMMA = math.lgamma(0.8)


@dataclass(frozen=True, slots=True)
class Correlation:
    """How one event stands to one deviation; without an event, why there is none."""

    signal: Signal
    terms: tuple[Term, ...] = ()
    deploy: str | None = None  # id, unless the signal is refused
    named: bool = False  # the declared scope of a believed event names the behaviour
    why_none: str = ""
    change: str = ""  # kind of the event
    others: tuple[str, ...] = ()  # ids of further events that explain it too
    placement: Placement | None = None
    considered: tuple[Considered, ...] = ()  # every event near it, this one first
    undeclared: float = 0.0  # the revision term of a new revision that no event announced
    event: str = ""  # id of the event that the terms are about, also if it does not hold

    @property
    def possible(self) -> bool:
        """Whether the event may explain it: the signal holds or cannot be told."""
        return self.deploy is not None


@dataclass(frozen=True, slots=True)
class Group:
    """Replicas of one side: who has it, for how many hours each was watched, and of how many that is unknown."""

    hits: tuple[float, ...]  # hours
    misses: tuple[float, ...]
    unknown: int
    beside: int = 0  # replicas without it that ran on after its first sight


def correlate(s: Sighting, deploys: Iterable[Deploy], ledger: Ledger, policy: Policy) -> Correlation:
    """The best explanation among a workload's events."""
    # A drip is dated to its first day, and shows on the day after a change if that was late.
    moments = (s.first, s.first - policy.day) if s.why in SLOW else (s.first,)
    near = [d for d in deploys if any(covers(d, t, policy) for t in moments)]
    fit = [(judge(d, s, ledger, policy), d) for d in near if trusted(d) and not late(d, policy)]
    refused = tuple(
        Considered(d.id, d.kind, d.time, 0.0, False, _weightless(d, policy))
        for d in near
        if late(d, policy) or not trusted(d)
    )
    if fit:
        fit.sort(key=lambda f: (_sureness(f[0]), f[0].signal.value), reverse=True)
        best = fit[0][0]
        others = tuple(c.deploy for c, _ in fit[1:] if c.deploy)
        return replace(best, others=others, considered=(*(_considered(c, d) for c, d in fit), *refused))
    words = _why_none(s, near, ledger, policy)
    lr, placement = _undeclared(s, ledger, policy)
    no = Signal(False, 0.0, words)
    return Correlation(no, why_none=words, considered=refused, undeclared=lr, placement=placement)


def _sureness(c: Correlation) -> int:
    return {True: 2, None: 1, False: 0}[c.signal.holds]


def _considered(c: Correlation, d: Deploy) -> Considered:
    return Considered(d.id, d.kind, d.time, c.signal.value, c.signal.holds is True, c.signal.words)


def _weightless(d: Deploy, policy: Policy) -> str:
    if late(d, policy):
        return f"came {(d.received - d.time) / policy.hour:.1f} h late, no relabel"
    return f"has no weight: trust is {d.trust}" + (f", {d.refused}" if d.refused else "")


def _undeclared(s: Sighting, ledger: Ledger, policy: Policy) -> tuple[float, Placement | None]:
    """How well a new revision without an event would explain it: a rollout that nobody announced leaves that trace."""
    newest, begun = _latest(ledger)
    if newest is None or not -policy.deploy_before <= s.first - begun <= policy.deploy_after:
        return 0.0, None
    exposures = ledger.exposures.values()
    new = _group([e for e in exposures if e.revision == newest], s, policy)
    old = _group([e for e in exposures if e.revision not in (newest, None) and _lately(e, s, policy)], s, policy)
    return round(rate_ratio(new, old), 4), _placement(new, old)


def _latest(ledger: Ledger) -> tuple[str | None, float]:
    """The latest of several revisions, and since when it was seen (seconds); None where there is but one."""
    known = list(ledger.revisions().items())
    return known[-1] if len(known) > 1 else (None, 0.0)


def _placement(new: Group, old: Group) -> Placement:
    n, o = len(new.hits), len(old.hits)
    return Placement(n, n + len(new.misses), o, o + len(old.misses), new.unknown + old.unknown)


def late(d: Deploy, policy: Policy) -> bool:
    """Whether an event came too late to change a label."""
    return d.received - d.time > policy.relabel


def _why_none(s: Sighting, near: list[Deploy], ledger: Ledger, policy: Policy) -> str:
    parts = [f"event {d.id} {_weightless(d, policy)}" for d in near if late(d, policy) or not trusted(d)]
    if not near:
        before, after = policy.deploy_before / policy.hour, policy.deploy_after / policy.hour
        parts.append(f"no matching event within {after:g} h before and {before:g} h after")
    newest, begun = _latest(ledger)
    if newest is not None and newest in s.revisions and s.first - begun <= policy.deploy_after:
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
    # What begins by chance after a rollout is on new replicas alone, too: the old ones must have run beside them.
    placed = pattern is not None or (terms[1].value >= PLACED and (old.beside > 0 or severity(s.behaviour) == 0))
    holds = False if veto or total <= 0 else True if placed else None
    why = veto or (f"terms of event {d.id} sum to {total:+.1f}" if total <= 0 else "")
    words = f"event {d.id} ({d.kind}): " + ", ".join(f"{t.words} ({t.value:+.1f})" for t in terms)
    words += f"; refused because {why}" if why else ""
    words += "" if holds is not None else "; time alone proves nothing, and neither replicas nor scope decide"
    signal = Signal(holds, total, words)
    named = pattern is not None and holds is True
    believed = d.id if holds is not False else None
    return Correlation(
        signal, terms, believed, named, why, d.kind, placement=_placement(new, old) if d.revision else None, event=d.id
    )


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
    """Replicas that carry the change, and those of revisions before it.

    Later revisions are on neither side: what one change brought stays in those that build upon it.
    """
    exposures = ledger.exposures.values()
    if d.revision is None:  # applied to running replicas: whatever ran after it carries it
        return _group([e for e in exposures if e.end >= d.time], s, policy), Group((), (), 0)
    begun = ledger.revisions()
    before = {r for r, t in begun.items() if r != d.revision and t <= begun.get(d.revision, d.time)}
    new = _group([e for e in exposures if e.revision == d.revision], s, policy)
    old = _group([e for e in exposures if e.revision in before and _lately(e, s, policy)], s, policy)
    # An event comes before the first window of its replica, which brings it into the ledger.
    fresh = [x.revision for r, x in s.sights.items() if r not in ledger.exposures]
    return (
        replace(new, hits=(*(FRESH for r in fresh if r == d.revision), *new.hits)),
        replace(old, hits=(*(FRESH for r in fresh if r in before), *old.hits)),
    )


def _lately(e: Exposure, s: Sighting, policy: Policy) -> bool:
    return e.replica in s.sights or e.end >= s.first - policy.exposure_cap * policy.hour


def _group(exposures: Iterable[Exposure], s: Sighting, policy: Policy) -> Group:
    hits, misses, unknown, beside = [], [], 0, 0
    for e in exposures:
        hours = min(policy.exposure_cap, e.seen(e.start, max(e.end, s.last)) / policy.hour)
        if e.replica in s.sights:
            hits.append(hours)
        elif e.gaps:
            unknown += 1  # it may have shown it while nobody looked
        else:
            misses.append(hours)
            beside += e.end > s.first
    return Group(tuple(sorted(hits)), tuple(sorted(misses)), unknown, beside)


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
    value = max(-CAP, min(evolution - rare, CAP))
    # One replica is a coincidence as likely as there are few others beside it that stayed without.
    return min(value, math.log1p(len(old.misses))) if n == 1 else value


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
