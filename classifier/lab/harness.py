"""A simulated deployment through the real pipeline, and what the labels were worth against what really happened.

Nothing here decides a label. A finding is held against the truth by what it names: a common behaviour on a common
replica in a common span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from classifier.drift.finding import AGED, REVIEW, RISKY, Posterior, Term
from classifier.drift.posterior import Weights, shipped
from classifier.drift.sighting import Sighting
from classifier.drift.verdict import Judged, together
from classifier.lab.simulate import Plan, deployment
from classifier.lab.truth import BENIGN, EVOLUTION, Fact, Truth
from classifier.lab.truth import RISKY as ATTACK
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from wire.records import Record, Replica, Tick, Window

SLACK = 3600.0  # seconds: a window tells of its hour only at its end
FORGERY = "deploy_event_forgery:"


@dataclass(frozen=True, slots=True)
class Member:
    """One deviation as it stood when a cause was looked at."""

    behaviour: str
    why: str
    first: float
    last: float
    replicas: frozenset[Replica]

    def shows(self, fact: Fact) -> bool:
        """Whether this is a part of what the fact tells of."""
        if self.first > fact.end + SLACK or self.last < fact.start - SLACK:
            return False
        if self.behaviour.startswith(FORGERY):
            return fact.family == "forged-deploy"
        return self.behaviour in fact.behaviours and not self.replicas.isdisjoint(fact.replicas)


@dataclass(slots=True)
class Look:
    """One judgement of one cause."""

    terms: dict[str, float]
    posterior: Posterior
    signals: tuple[bool | None, ...]
    nearest: float  # seconds from the last deploy event before it; inf if there was none
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Recorder(Weights):
    """Weights that remember the first and the last look at every cause."""

    first: dict[str, Look] = field(default_factory=dict)
    last: dict[str, Look] = field(default_factory=dict)

    def judge(self, terms: Sequence[Term], members: Sequence[Judged] = ()) -> Posterior:
        """As ever, and noted."""
        p = Weights.judge(self, terms)
        cause = members[0].sighting.cause
        look = Look(
            {t.name: t.value for t in terms},
            p,
            _signals(members),
            _nearest(members),
            tuple(_member(m.sighting) for m in members),
        )
        self.first.setdefault(cause, look)
        self.last[cause] = look
        return p


def _signals(members: Sequence[Judged]) -> tuple[bool | None, ...]:
    return tuple(s.holds for s in together(members))


def _nearest(members: Sequence[Judged]) -> float:
    first = min(m.sighting.first for m in members)
    return min((abs(first - c.time) for m in members for c in m.correlation.considered), default=float("inf"))


def _member(s: Sighting) -> Member:
    return Member(s.behaviour, s.why, s.first, s.last, frozenset(s.sights))


@dataclass(slots=True)
class Told:
    """One finding's life as its reader saw it: when it first had each label. Times in seconds."""

    labels: dict[str, float]
    final: str
    deploy: str | None
    members: tuple[Member, ...]
    kind: str = ""  # of the truth; "" if nothing happened that it could be about
    families: tuple[str, ...] = ()
    truths: tuple[int, ...] = ()  # numbers of the facts it is about
    flips: int = 0


@dataclass(slots=True)
class Case:
    """A cause for calibration and fitting: what was known of it first and last, and what it was."""

    first: Look
    last: Look
    kind: str
    families: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """One deployment, judged."""

    seed: int
    index: int
    type: str
    months: float
    truth: Truth
    told: list[Told]
    cases: list[Case]
    variance: int
    windows: int


def judge(
    plan: Plan, index: int, *, weights: Weights | None = None, policy: Policy | None = None, cases: bool = True
) -> Outcome:
    """Simulate one deployment and feed it to a pipeline of its own."""
    records, truth = deployment(plan, index)
    w = weights or shipped()
    recorder = Recorder(w.version, w.evolution, w.risky, w.bias, w.rules, *w.limits)
    pipeline = Pipeline(policy or Policy(), recorder if cases else w)
    told, windows = _play(pipeline, records, truth)
    about = [t for t in told.values() if max(t.labels.values()) >= truth.judged_from]
    for t in about:
        t.kind, t.families, t.truths = _what(t.members, truth)
    found = list(_cases(recorder, truth)) if cases else []
    variance = sum(ward.variance for ward in pipeline._state.wards.values())
    months = (truth.until - truth.judged_from) / (30 * 86_400.0)
    return Outcome(plan.seed, index, _type(truth.workload), months, truth, about, found, variance, windows)


def _play(pipeline: Pipeline, records: Iterator[Record], truth: Truth) -> tuple[dict[str, Told], int]:
    told: dict[str, Told] = {}
    now, windows = 0.0, 0
    for record in records:
        if type(record) is Tick:
            now = max(now, record.time)
        windows += type(record) is Window
        for finding in pipeline.feed(record):
            if finding.state == AGED:  # nobody triages here, so that a review ends as age has it
                continue
            at = max(now, finding.updated)
            ward = pipeline._state.wards[finding.workload]
            cause = ward.causes.get(finding.id)
            members = (
                tuple(_member(ward.sightings[m]) for m in cause.members if m in ward.sightings)
                if cause is not None
                else ()
            )
            known = told.get(finding.id)
            if known is None:
                known = told[finding.id] = Told({}, finding.label, finding.deploy, members)
            known.flips += known.final != finding.label
            known.labels.setdefault(finding.label, at)
            known.final, known.deploy = finding.label, finding.deploy
            known.members = members or known.members
    return told, windows


def _what(members: Iterable[Member], truth: Truth) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """The gravest thing that members are about."""
    facts = [n for n, f in enumerate(truth.facts) if any(m.shows(f) for m in members)]
    for kind in (ATTACK, EVOLUTION, BENIGN):
        mine = [n for n in facts if truth.facts[n].kind == kind]
        if mine:
            return kind, tuple(sorted({truth.facts[n].family for n in mine})), tuple(mine)
    return "", (), ()


def _cases(recorder: Recorder, truth: Truth) -> Iterator[Case]:
    for cause, last in recorder.last.items():
        if max(m.last for m in last.members) < truth.judged_from:
            continue
        kind, families, _ = _what(last.members, truth)
        yield Case(_slim(recorder.first[cause]), _slim(last), kind or BENIGN, families or ("nothing",))


def _slim(look: Look) -> Look:
    return replace(look, members=())


def _type(workload: str) -> str:
    return workload.rsplit("/", 2)[-2].rsplit("-", 2)[0]


def caught(outcome: Outcome, number: int) -> tuple[float | None, float | None]:
    """When an attack (number of a fact) was first called risky, and first called that or a review (seconds), if ever."""
    mine = [t for t in outcome.told if number in t.truths]
    risky = [t.labels[RISKY] for t in mine if RISKY in t.labels]
    looked = [t.labels[label] for t in mine for label in (RISKY, REVIEW) if label in t.labels]
    return min(risky, default=None), min(looked, default=None)
