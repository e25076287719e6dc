"""What really happened in a simulated deployment, told to nobody but the judge of the judge."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wire.records import Replica

EVOLUTION, BENIGN, RISKY = "evolution", "benign", "risky"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened and that leaves the learned normal. Times in seconds, event time."""

    kind: str  # EVOLUTION, BENIGN or RISKY
    family: str  # of the attack, or what it was: "rollout", "error path", "churn", ...
    stealth: int  # 0, 1 or 2 for attacks, else 0
    workload: str
    start: float  # first showing of any of its behaviours
    end: float  # last showing
    behaviours: tuple[str, ...]  # those that showed; for theft through a learned peer that peer
    replicas: tuple[Replica, ...]  # that showed them
    deploy: str = ""  # id of the event that announced its cause; "" if nothing did


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything about one deployment. Times in seconds, event time."""

    workload: str
    seed: int
    judged_from: float
    until: float
    facts: tuple[Fact, ...]  # by start
    scaling: tuple[float, ...]  # when a replica was added, taken away or started anew


def plain(truth: Truth) -> dict[str, Any]:
    """Values for JSON."""
    return asdict(truth) | {"facts": [_fact(f) for f in truth.facts]}


def _fact(fact: Fact) -> dict[str, Any]:
    found = {name: getattr(fact, name) for name in Fact.__slots__}
    replicas = [{"node": r.node, "cgroup": r.cgroup, "generation": r.generation} for r in fact.replicas]
    return found | {"behaviours": list(fact.behaviours), "replicas": replicas}
