"""What else one could do with the same causes: a time window, novelty, three tests, one signal less, a forest on windows.

Every rule sees a cause as the pipeline first or last saw it, so the comparison is of the rules, not of the sensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from classifier.drift.finding import Term
from classifier.drift.posterior import Weights
from classifier.lab.harness import Case, Outcome
from classifier.lab.truth import EVOLUTION
from classifier.lab.truth import RISKY as ATTACK

HOUR = 3600.0
RISK, LOOK, GONE, QUIET = "risky", "review", "evolution", "variance"
GROUPS = {  # signal → the terms that make it
    "deploy": ("no event", "undeclared", "deploy time", "deploy revision", "deploy kind", "named", "outside scope", "scope unknown",
               "refused", "on old replicas"),
    "continuity": ("owner unknown", "foreign owner", "odd calls", "new sequences", "far name", "far path", "by a person",
                   "owner", "habit"),
    "bounds": ("out of bounds", "how far", "no bounds", "volume out", "volume in", "schedule", "off schedule", "creep", "sends",
               "times its bound",
               "sends much"),
    "placement": ("few replicas", "single", "burst", "volley", "fan-out", "chain"),
    "severity": ("severity 1", "severity 2", "severity 3", "bare address", "code brought in"),
    "novelty": ("novelty", "novelty of its kind"),
}  # fmt: skip

Rule = Callable[[Case], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One rule's figures over all causes."""

    rule: str
    recall: float  # of causes that are attacks
    reviewed: float  # the same with reviews
    false_risky: float  # a deployment-month
    reviews: float
    precision: float  # of what it calls evolution

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {n: getattr(self, n) if n == "rule" else _short(getattr(self, n)) for n in Row.__slots__}


def _short(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def within(hours: float) -> Rule:
    """Near a deploy is evolution, everything else is risky."""
    return lambda c: GONE if c.last.nearest <= hours * HOUR else RISK


def novelty(c: Case) -> str:
    """Whatever is new is risky."""
    return RISK


def three_tests(c: Case) -> str:
    """Passes all three: evolution. Fails all three: risky. Otherwise a person looks."""
    holds = [s is not False for s in c.last.signals]
    return GONE if all(holds) else RISK if not any(holds) else LOOK


def table(outcomes: Sequence[Outcome], rules: dict[str, Rule]) -> list[Row]:
    """Every rule on every cause."""
    cases = [c for o in outcomes for c in o.cases]
    months = sum(o.months for o in outcomes)
    return [_row(name, rule, cases, months) for name, rule in rules.items()]


def _row(name: str, rule: Rule, cases: Iterable[Case], months: float) -> Row:
    said = [(rule(c), c.kind) for c in cases]
    attacks = [s for s, k in said if k == ATTACK]
    others = [s for s, k in said if k != ATTACK]
    gone = [k for s, k in said if s == GONE]
    return Row(
        name,
        _share(attacks, (RISK,)),
        _share(attacks, (RISK, LOOK)),
        sum(s == RISK for s in others) / months,
        sum(s == LOOK for s in others) / months,
        _share(gone, (EVOLUTION,)),
    )


def _share(found: Sequence[str], wanted: tuple[str, ...]) -> float:
    return sum(s in wanted for s in found) / len(found) if found else float("nan")


def ablations(outcomes: Sequence[Outcome], weights: Weights, budget: float) -> list[tuple[str, float]]:
    """Recall of the posterior alone at a budget of false alarms (a deployment-month), whole and without each signal."""
    cases = [c for o in outcomes for c in o.cases]
    months = sum(o.months for o in outcomes)
    out = [("all signals", _at(cases, weights, (), months, budget))]
    return out + [(f"without {n}", _at(cases, weights, terms, months, budget)) for n, terms in GROUPS.items()]


def _at(cases: Sequence[Case], weights: Weights, without: tuple[str, ...], months: float, budget: float) -> float:
    p = np.array([_risky(c, weights, without) for c in cases])
    attack = np.array([c.kind == ATTACK for c in cases])
    allowed = int(budget * months)
    rest = np.sort(p[~attack])[::-1]
    limit = rest[allowed] if allowed < len(rest) else 0.0
    return float((p[attack] > limit).mean()) if attack.any() else float("nan")


@cache
def _kept(name: str, without: tuple[str, ...]) -> bool:
    """Whether neither a term nor, of a pair, a half of it is left out."""
    return not any(part in without for part in (name, *name.split(" and ")))


def _risky(c: Case, weights: Weights, without: tuple[str, ...]) -> float:
    terms = [Term(n, v, "") for n, v in c.last.terms.items() if _kept(n, without)]
    return weights.judge(terms).risky
