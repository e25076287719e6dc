"""The classes: what speaks for and against each, and how strict each is. An expert's judgement, not fitted to data.

A term takes one fact of an envelope (`facts`), maps it to 0..1 between `low` and `high`, and adds that share of its weight.
Where `low` is above `high`, less of the fact is more of the term: the absence of something speaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Term:
    """One reason for (or, with a negative weight, against) a class."""

    fact: str
    low: float  # at and below it: 0
    high: float  # at and beyond it: 1
    weight: float
    log: bool = False  # rates differ by factors, not by differences

    @property
    def absence(self) -> bool:
        """Whether it speaks when there is little of something; such terms alone make no class."""
        return self.low > self.high

    def share(self, value: float) -> float:
        """How much of the term holds.

        >>> Term("execs", 5, 0, 1.0).share(1.0), Term("llm", 0, 1, 1.0).share(3)
        (0.8, 1.0)
        """
        low, high = (math.log1p(self.low), math.log1p(self.high)) if self.log else (self.low, self.high)
        x = math.log1p(value) if self.log else value
        return round(min(1.0, max(0.0, (x - low) / (high - low))), 6)


@dataclass(frozen=True, slots=True)
class AgentClass:
    """One class. `strictness` orders them: of two, gates use the one with the larger number."""

    words: str
    strictness: int
    terms: tuple[Term, ...] = ()


CLASSES: dict[str, AgentClass] = {
    "read-only-retrieval": AgentClass(
        "asks a model and looks things up; starts nothing, changes nothing",
        2,
        (
            Term("llm", 0, 1, 1.5),
            Term("vectors", 0, 1, 2.0),
            Term("sent", 0.5, 0.15, 1.5),
            Term("execs", 5, 0.5, 1.5),
            Term("writes", 0.2, 0.02, 1.0),
            Term("destinations", 12, 5, 0.5),
            Term("interpreters", 1, 10, -3.0, log=True),
            Term("models", 0, 1, -1.0),
            Term("peers", 2, 6, -1.0),
            Term("clocked", 0.3, 0.6, -1.5),
        ),
    ),
    "code-execution": AgentClass(
        "runs code that it was given or wrote itself",
        6,
        (
            Term("interpreters", 1, 10, 3.5, log=True),
            Term("fresh", 0.2, 3, 1.5),
            Term("own_code", 0.05, 2, 1.5),
            Term("programs", 2, 6, 0.5),
            Term("llm", 0, 1, 0.5),
            Term("live", 0.5, 0.15, -1.5),
        ),
    ),
    "orchestrator": AgentClass(
        "steers other agents and tool servers",
        5,
        (
            Term("peers", 1, 4, 2.5),
            Term("mcp", 0, 2, 1.5),
            Term("llm", 0, 1, 1.5),
            Term("llm", 1, 3, 0.5),
            Term("destinations", 5, 12, 1.0),
            Term("interpreters", 3, 50, -1.5, log=True),
            Term("stores", 1, 4, -0.5),
        ),
    ),
    "tool-user": AgentClass(
        "asks a model and acts through a few tools (well-bounded support)",
        4,
        (
            Term("llm", 0, 1, 1.5),
            Term("tools", 0, 2, 1.5),
            Term("sent", 0.15, 0.35, 1.5),
            Term("destinations", 25, 12, 0.5),
            Term("execs", 10, 2, 1.0),
            Term("peers", 2, 6, -1.0),
            Term("interpreters", 1, 10, -3.0, log=True),
            Term("models", 0, 1, -1.0),
            Term("ingress", 3000, 30000, -1.0, log=True),
            Term("clocked", 0.3, 0.6, -1.5),
        ),
    ),
    "batch-worker": AgentClass(
        "runs now and then, mostly on a schedule",
        3,
        (
            Term("live", 0.5, 0.15, 3.0),
            Term("clocked", 0.3, 0.6, 3.0),
            Term("brief", 0.3, 0.9, 2.0),
            Term("ingress", 1, 0, 1.0),
            Term("llm", 0, 1, -1.0),
        ),
    ),
    "model-server": AgentClass(
        "loads model files and answers requests",
        2,
        (
            Term("models", 0, 1, 2.5),
            Term("ingress", 1, 100, 1.5, log=True),
            Term("destinations", 6, 2, 1.5),
            Term("vectors", 0, 1, -2.0),
            Term("tools", 1, 3, -1.5),
            Term("llm", 1, 0, 0.5),
            Term("interpreters", 1, 10, -1.5, log=True),
        ),
    ),
    "data-pipeline": AgentClass(
        "moves data between stores",
        3,
        (
            Term("stores", 0, 2, 2.5),
            Term("moved", 50e6, 2e9, 1.5, log=True),
            Term("ingress", 1, 0, 1.0),
            Term("ingress", 10, 1000, -2.0, log=True),
            Term("clocked", 0.3, 0.6, -2.0),
            Term("llm", 1, 0, 1.0),
            Term("writes", 0.1, 0.5, 0.5),
            Term("interpreters", 5, 50, -1.0, log=True),
        ),
    ),
    "web-service": AgentClass(
        "answers requests and asks no model: no agent",
        1,
        (
            Term("ingress", 10, 10000, 2.5, log=True),
            Term("stores", 0, 1, 1.0),
            Term("tools", 0, 2, -1.5),
            Term("peers", 1, 4, -1.0),
            Term("llm", 1, 0, 2.0),
            Term("models", 1, 0, 0.5),
            Term("live", 0.5, 0.9, 0.5),
            Term("models", 0, 1, -2.0),
            Term("interpreters", 1, 10, -1.5, log=True),
        ),
    ),
}


def stricter(one: str, other: str) -> str:
    """Of two classes the one that gates must assume; an unknown one counts for nothing.

    >>> stricter("web-service", "code-execution"), stricter("unknown", "web-service")
    ('code-execution', 'web-service')
    """
    return max((one, other), key=lambda name: (CLASSES[name].strictness if name in CLASSES else 0, name))
