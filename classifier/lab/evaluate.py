"""Simulated fleets to the table of what the label is worth. Seeds, and some families, that no fit has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from classifier.drift.posterior import Weights, shipped
from classifier.lab import baselines, score
from classifier.lab.fit import HELD_BACK, outcomes
from classifier.lab.harness import Case, Outcome
from classifier.lab.simulate import FAMILIES, Plan

BUDGET = 0.1  # false risky a deployment-month


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one run."""

    outcomes: list[Outcome]
    weights: Weights
    seconds: float

    @property
    def months(self) -> float:
        """Deployment-months that were judged."""
        return sum(o.months for o in self.outcomes)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        error, bins = score.calibration(self.outcomes)
        delays = score.delays(self.outcomes)
        return {
            "weights": self.weights.version,
            "deployment_months": round(self.months, 1),
            "windows": sum(o.windows for o in self.outcomes),
            "seconds": round(self.seconds, 1),
            "overall": {name: f.plain() for name, f in overall(self.outcomes).items()},
            "by_family": [{n: _plain(v) for n, v in row.items()} for row in by_family(self.outcomes)],
            "by_type": [{n: _plain(v) for n, v in row.items()} for row in by_type(self.outcomes)],
            "seconds_to_risky": {"median": _at(delays, 0.5), "p95": _at(delays, 0.95), "n": len(delays)},
            "calibration": {
                "expected_error": None if math.isnan(error) else round(error, 4),
                "bins": [{n: _plain(getattr(b, n)) for n in score.Bin.__slots__} for b in bins],
            },
            "baselines": [r.plain() for r in self.baselines()],
            "ablation": [{"what": n, "recall": _plain(v)} for n, v in self.ablations()],
        }

    def baselines(self) -> list[baselines.Row]:
        """Simpler rules on the same causes, and ours."""
        w = self.weights
        rules: dict[str, baselines.Rule] = {
            "any novelty is risky": baselines.novelty,
            "a deploy within 1 h is evolution": baselines.within(1),
            "a deploy within 24 h is evolution": baselines.within(24),
            "three tests": baselines.three_tests,
            "posterior alone": lambda c: _posterior(c, w),
        }
        return baselines.table(self.outcomes, rules)

    def ablations(self) -> list[tuple[str, float]]:
        """Recall of causes at the budget, without one signal at a time."""
        return baselines.ablations(self.outcomes, self.weights, BUDGET)


def _posterior(c: Case, w: Weights) -> str:
    p = w.judge([baselines.Term(n, v, "") for n, v in c.last.terms.items()])
    if p.risky >= w.risky_from:
        return baselines.RISK
    if p.risky >= w.review_from:
        return baselines.LOOK
    return baselines.GONE if p.evolution >= w.evolution_from else baselines.QUIET


def evaluate(
    plan: Plan,
    seeds: Sequence[int],
    *,
    weights: Weights | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] = lambda done, of: None,
    clock: Callable[[], float],
) -> Evaluation:
    """Simulate, judge, count.

    Args:
        progress: Called with deployments done, and how many there are.
        clock: Seconds, of any origin.
    """
    begun = clock()
    found: list[Outcome] = []
    for o in outcomes((replace(plan, seed=s) for s in seeds), weights=weights, workers=workers):
        found.append(o)
        progress(len(found), len(seeds) * plan.deployments)
    return Evaluation(found, weights or shipped(), clock() - begun)


def overall(found: Sequence[Outcome]) -> dict[str, score.Figure]:
    """The figures that decide."""
    return {
        "risky recall": score.recall(found),
        "recall with review": score.recall(found, review=True),
        "false risky a deployment-month": score.monthly(found, score.false_risky),
        "of which about a credential that nothing names": score.monthly(found, score.by_rule),
        "idle reviews a deployment-month": score.monthly(found, score.idle_review),
        "all reviews a deployment-month": score.monthly(found, score.any_review),
        "evolution precision": score.precision(found),
        "attacks called evolution, of evolution": score.masked(found),
        "evolution that names the true event": score.named(found),
        "alerts from scaling, restarts and load alone a deployment-month": score.monthly(found, score.from_nothing),
        "labels that changed": score.flips(found),
    }


def by_family(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row an attack family, and the row of all."""
    return [_family(found, f) for f in (*sorted(FAMILIES), "")]


def _family(found: Sequence[Outcome], family: str) -> dict[str, Any]:
    row: dict[str, Any] = {"family": family or "all", "unseen": family in HELD_BACK}
    for stealth in (0, 1, 2):
        row[f"stealth {stealth}"] = score.recall(found, family=family, stealth=stealth)
    row["recall"] = score.recall(found, family=family)
    row["with review"] = score.recall(found, family=family, review=True)
    return row


def by_type(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row a type of workload."""
    rows = []
    for name in sorted({o.type for o in found}):
        mine = [o for o in found if o.type == name]
        rows.append(
            {
                "type": name,
                "recall": score.recall(mine),
                "with review": score.recall(mine, review=True),
                "false risky": score.monthly(mine, score.false_risky),
                "idle reviews": score.monthly(mine, score.idle_review),
                "evolution precision": score.precision(mine),
            }
        )
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, score.Figure):
        return value.plain()
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value


def _at(values: Sequence[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(share * len(values)))], 1) if values else None
