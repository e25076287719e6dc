"""What to expect of a workload whose own envelope says little yet, from its class: how much is new, what is ordinary.

Pure: a class, and its baseline where there is one. The figures per class are an expert's judgement; the observed novelty
of the class's workloads takes their place as these become many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from classifier.classes.baselines import Baseline
from classifier.classes.table import UNKNOWN
from classifier.classes.templates import DIMENSIONS, EGRESS, EXEC, FILE, IDENTITY, INGRESS, SYSCALL, dimension, template
from classifier.drift.severity import is_secret, severity

WEIGHT = 3.0  # workloads that a written figure counts as
USED_IN = ("missing", "learning", "converging")  # states of an envelope in which a prior speaks

# new behaviours per workload and active day once its first day is over; and the highest severity that is ordinary
QUIET: dict[str, tuple[float, int]] = {
    EXEC: (0.1, 1), EGRESS: (0.1, 1), INGRESS: (0.02, 1), FILE: (0.5, 1), IDENTITY: (0.01, -1), SYSCALL: (0.01, -1),
}  # fmt: skip
DIFFERS: dict[str, dict[str, tuple[float, int]]] = {
    "read-only-retrieval": {EXEC: (0.02, 0), FILE: (0.3, 1)},
    "code-execution": {EXEC: (4.0, 2), FILE: (10.0, 2), EGRESS: (0.5, 1)},
    "orchestrator": {EGRESS: (0.5, 1), EXEC: (0.3, 1)},
    "tool-user": {EGRESS: (0.15, 1)},
    "batch-worker": {FILE: (1.0, 1)},
    "model-server": {EXEC: (0.02, 0), EGRESS: (0.05, 1)},
    "data-pipeline": {FILE: (1.0, 1), EGRESS: (0.2, 1)},
    "web-service": {EXEC: (0.05, 0)},
}


@dataclass(frozen=True, slots=True)
class Prior:
    """What a class makes one expect."""

    name: str
    workloads: int  # that its baseline is made from; 0: only the written figures speak
    novelty: Mapping[str, float]  # dimension → new behaviours per active day
    tolerated: Mapping[str, int]  # dimension → highest severity that a known shape excuses; -1: none
    templates: Mapping[str, int]  # shape → workloads that show it

    def knows(self, behaviour: str) -> bool:
        """Whether a behaviour has a shape that the class is known for. Secrets and identities never do."""
        return not is_secret(behaviour) and template(behaviour) in self.templates

    def tolerates(self, behaviour: str) -> bool:
        """Whether it is ordinary for the class: known in shape, and no worse than its dimension allows."""
        return self.knows(behaviour) and severity(behaviour) <= self.tolerated.get(dimension(behaviour), -1)


def prior(name: str, baseline: Baseline | None = None) -> Prior:
    """The prior of a class; an unknown class expects little and knows nothing.

    >>> prior("code-execution").novelty["exec"], prior("web-service").novelty["exec"]
    (4.0, 0.05)
    """
    written = QUIET | DIFFERS.get(name, {})
    if baseline is None or baseline.name != name or name == UNKNOWN:
        return Prior(name, 0, {d: written[d][0] for d in DIMENSIONS}, {d: written[d][1] for d in DIMENSIONS}, {})
    n = baseline.workloads
    novelty = {d: round((WEIGHT * written[d][0] + n * baseline.novelty[d]) / (WEIGHT + n), 4) for d in DIMENSIONS}
    return Prior(
        name, n, novelty, {d: written[d][1] for d in DIMENSIONS}, {s.template: s.support for s in baseline.shapes}
    )
