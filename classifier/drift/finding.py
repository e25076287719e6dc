"""A finding: one cause, its label, and everything a sceptic needs to check it. As values and as canonical JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from classifier.envelope.state import stored
from wire.records import Behaviour, Workload

EXPECTED, RISKY, REVIEW = "expected_evolution", "risky_drift", "needs_review"
OPEN, ACCEPTED, DISMISSED, AGED = "open", "accepted", "dismissed", "aged"


@stored
@dataclass(frozen=True, slots=True)
class Signal:
    """One of the three tests."""

    holds: bool | None  # None: cannot be told
    value: float  # deploy correlation: log odds; continuity: 0..1; bounds: robust z or 0
    words: str  # with its numbers


@stored
@dataclass(frozen=True, slots=True)
class Term:
    """One part of a value."""

    name: str
    value: float
    words: str


@stored
@dataclass(frozen=True, slots=True)
class Posterior:
    """How probable each reading of a cause is, and by which weights. They sum to one."""

    evolution: float
    benign: float  # rare, but nobody's attack and nobody's deploy
    risky: float
    weights: str  # version


@stored
@dataclass(frozen=True, slots=True)
class Considered:
    """One deploy event that was held against a cause."""

    deploy: str
    kind: str
    time: float  # seconds
    value: float  # log odds
    explains: bool
    because: str  # with the numbers; why it was refused, if it was


@stored
@dataclass(frozen=True, slots=True)
class Placement:
    """Replicas with the change and without it, and how many of each show the behaviour."""

    new_hits: int
    new: int
    old_hits: int
    old: int
    unknown: int  # not observed throughout, so that nobody can tell


@stored
@dataclass(frozen=True, slots=True)
class Deviation:
    """One behaviour that the envelope does not explain."""

    behaviour: Behaviour
    why: str  # "new", "volume out", "volume in", "owner", "schedule", "dormant return", "forgery" or "conflict"
    severity: int  # 0..3
    technique: str
    first: float  # seconds
    last: float
    count: int
    replicas: int
    revisions: tuple[str, ...]
    bytes_out: int
    bytes_in: int
    lineage: str  # "" where unknown
    signals: tuple[Signal, Signal, Signal]
    terms: tuple[Term, ...]


@stored
@dataclass(frozen=True, slots=True)
class Version:
    """One label a finding had."""

    version: int
    label: str
    time: float  # seconds, event time
    because: str


@stored
@dataclass(frozen=True, slots=True)
class Finding:
    """One cause. `signals` are deploy correlation, pattern continuity, resource bounds, in this order."""

    id: str
    version: int
    workload: Workload
    label: str
    severity: str  # "info", "low", "medium", "high", "critical"
    opened: float  # seconds, event time
    updated: float
    title: str
    because: str
    signals: tuple[Signal, Signal, Signal]
    deploy: str | None  # id of the event it rests on
    why_no_deploy: str  # "" if it rests on one
    deviations: tuple[Deviation, ...]
    replicas: int
    revisions: tuple[str, ...]
    count: int
    evidence: tuple[str, ...]  # ids of events
    history: tuple[Version, ...]
    state: str = OPEN
    partial: bool = False  # something of its windows was lost
    owner: str = ""  # who decides, where a person must
    review_until: float | None = None  # seconds; when a review ends by itself; None: it is no review
    posterior: Posterior | None = None
    terms: tuple[Term, ...] = ()  # what each feature adds to the log odds of risky against benign
    considered: tuple[Considered, ...] = ()  # the explaining event first
    placement: Placement | None = None  # None: no event to hold against, or it applies without a restart
    magnitude: str = "material"  # or "trust-breaking"; normal variance makes no finding
    attribution: str = "unknown"  # "tools", "permission", "model/prompt", "dependency", "context", "data" or "unknown"
    attribution_because: str = ""


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """Plain values; the signals by name."""
    out = asdict(finding)
    names = ("deploy_correlation", "pattern_continuity", "resource_bounds")
    out["signals"] = dict(zip(names, out["signals"], strict=True))
    for d in out["deviations"]:
        d["signals"] = dict(zip(names, d["signals"], strict=True))
    return out


def findings_json(findings: Iterable[Finding]) -> str:
    """Canonical JSON, in ASCII: the same findings give the same bytes, and no name can steer a terminal."""
    rows = [finding_to_dict(f) for f in findings]
    return json.dumps(rows, sort_keys=True, indent=1, allow_nan=False) + "\n"
