"""Answers of the classifier to a report: each change of a span once, with its cause, and what nobody could see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from classifier.deploys.timeline import concerns
from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from classifier.policy import Policy
from console.report import words
from console.report.coverage import Coverage, coverage

Values = Mapping[str, Any]
BINS = (EXPECTED, RISKY, REVIEW)
KEYS = {EXPECTED: "evolution", RISKY: "risky", REVIEW: "review"}
MODELS = ("open:model:", "write:model:")
URGENCY = ("identity", "data", "tool", "model")  # demands D111: the order in which rows are shown


@dataclass(frozen=True, slots=True)
class Span:
    """What is reported on. Seconds."""

    since: float
    until: float
    days: float


@dataclass(frozen=True, slots=True)
class Row:
    """One change: one finding, one cause."""

    id: str
    label: str
    severity: str
    opened: float  # seconds
    first: float  # sight of any of its behaviours, seconds
    last: float
    title: str
    cause: str
    event: str | None  # id of the deploy event it rests on
    event_kind: str
    event_time: float | None  # seconds
    considered: tuple[Values, ...]
    probability: float | None  # of the outcome in `reading`
    reading: str  # what the label says; of a review the likeliest outcome
    rule: str  # that gave the label
    posterior: Values  # outcome → probability, the likeliest first; empty where none was given
    signals: tuple[tuple[str, bool | None, Any, str], ...]
    behaviours: tuple[str, ...]
    placement: str
    magnitude: str
    attribution: str
    replicas: int
    revisions: tuple[str, ...]
    count: int
    state: str
    owner: str
    review_until: float | None
    history: tuple[Values, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Idle:
    """A deploy event that no change of the span rests on."""

    id: str
    kind: str
    time: float  # seconds
    actor: str
    revision: str | None
    trust: str
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """One workload."""

    workload: str
    evolution: tuple[Row, ...]
    risky: tuple[Row, ...]
    review: tuple[Row, ...]
    idle: tuple[Idle, ...]
    taken: tuple[Values, ...]  # behaviours the envelope took in during the span without a finding
    earlier: tuple[Row, ...]  # opened before the span, still open
    coverage: Coverage

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.risky, *self.review, *self.evolution)

    @property
    def counts(self) -> dict[str, int]:
        """Changes by label, and their sum."""
        return counted([self])


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown, whatever the format."""

    span: Span
    source: str
    window: str  # within which an event must lie, in words
    parts: tuple[Part, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Changes by label over all workloads, and their sum."""
        return counted(self.parts)


def counted(parts: Iterable[Part]) -> dict[str, int]:
    """Changes by label, their sum, and what is not a change."""
    parts = list(parts)
    out = {key: sum(len(getattr(p, key)) for p in parts) for key in KEYS.values()}
    out["changes"] = sum(out.values())
    out["variance"] = sum(len(p.taken) for p in parts)
    out["idle_events"] = sum(len(p.idle) for p in parts)
    return out


def made(
    findings: Iterable[Values],
    deploys: Iterable[Values],
    envelopes: Mapping[str, Values | None],
    *,
    span: Span,
    policy: Policy,
    source: str,
) -> Report:
    """The report of some workloads: those that `envelopes` names."""
    findings, deploys = list(findings), list(deploys)
    window = f"{policy.deploy_after / policy.hour:g} h before and {policy.deploy_before / policy.hour:g} h after"
    parts = []
    for workload, envelope in envelopes.items():
        mine = [f for f in findings if f.get("workload") == workload and _number(f.get("opened")) < span.until]
        events = [d for d in deploys if concerns(_Named(str(d.get("workload"))), workload)]  # type: ignore[arg-type]
        parts.append(_part(workload, mine, events, envelope or {}, span, window, policy.day))
    return Report(span, source, window, tuple(parts))


@dataclass(frozen=True, slots=True)
class _Named:
    workload: str


def _part(
    workload: str, findings: list[Values], events: list[Values], envelope: Values, span: Span, window: str, day: float
) -> Part:
    known = {str(d.get("id")): d for d in events if not d.get("refused")}
    rows = [(f, _row(f, known, window)) for f in findings]
    now = [row for _, row in rows if row.opened >= span.since]
    bins = {key: tuple(_ranked(r for r in now if _bin(r) == label)) for label, key in KEYS.items()}
    earlier = tuple(row for f, row in rows if row.opened < span.since and row.state == "open")
    used = {r.event for _, r in rows if r.event}
    idle = tuple(
        _idle(d) for d in events if span.since <= _number(d.get("time")) < span.until and d.get("id") not in used
    )
    seen = {b for _, row in rows for b in row.behaviours}
    taken = tuple(
        b
        for b in envelope.get("behaviours") or ()
        if span.since <= _number(b.get("first")) < span.until and b.get("behaviour") not in seen
    )
    return Part(workload, **bins, idle=idle, taken=taken, earlier=earlier, coverage=coverage(envelope, span, day))


def _bin(row: Row) -> str:
    """Its label; one that is not ours is for a person to look at, never left out."""
    return row.label if row.label in BINS else REVIEW


def _row(f: Values, events: Mapping[str, Values], window: str) -> Row:
    event = events.get(str(f.get("deploy"))) or {}
    return Row(
        id=str(f.get("id")),
        label=str(f.get("label")),
        severity=str(f.get("severity")),
        opened=_number(f.get("opened")),
        first=_number(words.seen(f)[0]),
        last=_number(words.seen(f)[1]),
        title=_what(f),
        cause=_cause(f, event, window),
        event=f.get("deploy"),
        event_kind=str(event.get("kind") or ""),
        event_time=event.get("time"),
        considered=tuple(words.considered(f)),
        probability=words.own_probability(f),
        reading=words.own_reading(f),
        rule=words.rule(f),
        posterior=words.posterior(f),
        signals=tuple(words.signals(f)),
        behaviours=tuple(words.behaviours(f)),
        placement=words.placement(f),
        magnitude=str(f.get("magnitude") or ""),
        attribution=str(f.get("attribution") or ""),
        replicas=int(_number(f.get("replicas"))),
        revisions=tuple(f.get("revisions") or ()),
        count=int(_number(f.get("count"))),
        state=str(f.get("state")),
        owner=str(f.get("owner") or ""),
        review_until=f.get("review_until"),
        history=tuple(f.get("history") or ()),
        evidence=tuple(f.get("evidence") or ()),
    )


def _what(f: Values) -> str:
    """Its title without the end that says the cause, which has a column of its own."""
    title = str(f.get("title"))
    ends = (": no event explains it", f": explained by event {f.get('deploy')}", f": event {f.get('deploy')}")
    return next((title.removesuffix(end) for end in ends if title.endswith(end)), title)


def _cause(f: Values, event: Values, window: str) -> str:
    """The event by its id, or that none matches, and then what was nearest and why it does not count."""
    if f.get("deploy"):
        kind, actor = event.get("kind"), event.get("actor")
        return f"event {f['deploy']}" + (f" ({kind} change" + (f" by {actor}" if actor else "") + ")" if kind else "")
    none, why = f"no matching event within {window}", str(f.get("why_no_deploy") or "")
    rejected = [c for c in words.considered(f) if not c.get("explains")]
    if rejected and str(rejected[0].get("deploy")) not in why:
        why = f"event {rejected[0].get('deploy')} rejected: {words.reason(rejected[0])}"
    said = none + why.removeprefix(none) if why.startswith(none) else none + (f"; {why}" if why else "")
    poisoned = any(b.startswith(MODELS) for b in words.behaviours(f))
    return said + ("; possible model poisoning" if poisoned else "")


def _ranked(rows: Iterable[Row]) -> list[Row]:
    """By urgency of what was touched, then by time (D111)."""
    return sorted(rows, key=lambda r: (_urgency(r), r.opened, r.id))


def _urgency(row: Row) -> int:
    if row.label != RISKY:
        return 0
    kinds = {b.split(":", 1)[0] for b in row.behaviours}
    if "identity" in kinds or any(b.startswith(("open:secret:", "write:secret:")) for b in row.behaviours):
        return URGENCY.index("identity")
    if any(b.startswith(MODELS) for b in row.behaviours):
        return URGENCY.index("model")
    return URGENCY.index("data" if kinds & {"egress", "write", "open"} else "tool")


def _idle(d: Values) -> Idle:
    refused = str(d.get("refused") or "")
    why = f"refused: {refused}" if refused else "changed nothing that can be seen from here"
    if not refused and d.get("trust") not in ("signed", "local"):
        why = f"has no weight: trust is {d.get('trust')}"
    return Idle(
        str(d.get("id")),
        str(d.get("kind")),
        _number(d.get("time")),
        str(d.get("actor") or ""),
        d.get("revision"),
        str(d.get("trust")),
        why,
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def plain(report: Report) -> dict[str, Any]:
    """For ``--json``."""
    return asdict(report) | {
        "counts": report.counts,
        "parts": [asdict(p) | {"counts": p.counts} for p in report.parts],
    }
