"""Terms to the probabilities of three readings: evolution, rare but benign, risky. A dot product, so it can be checked by hand.

What terms say together stands in rules: a handful of thresholds that hold or do not, each a term like any other
(Friedman and Popescu, Annals of Applied Statistics 2008, "Predictive learning via rule ensembles"). The weights are fitted offline
on simulated fleets (`classifier/lab/fit.py`) and shipped as `weights.json` with a version. Nothing here learns.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from classifier.drift.finding import Posterior, Term

READINGS = ("evolution", "benign", "risky")
Condition = tuple[str, str, float]  # term, ">" or "<=", threshold


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that must all hold. A term that is not there is zero."""

    conditions: tuple[Condition, ...]
    name: str = field(init=False, compare=False)  # as it is told, and as its weights are listed

    def __post_init__(self) -> None:
        name = ", ".join(f"{n} {sign} {limit:g}" for n, sign, limit in self.conditions)
        object.__setattr__(self, "name", name)  # asked at every look at a cause

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether all conditions hold.

        >>> Rule((("chain", ">", 1.5), ("named", "<=", 0.5))).holds({"chain": 2.0})
        True
        """
        for n, sign, limit in self.conditions:  # noqa: SIM110  # a generator takes three times as long
            if (values.get(n, 0.0) > limit) != (sign == ">"):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term adds to the score of each reading, the benign one being zero throughout."""

    version: str
    evolution: Mapping[str, float]
    risky: Mapping[str, float]
    bias: tuple[float, float]  # of evolution and of risky
    rules: tuple[Rule, ...]
    risky_from: float  # probability from which an undecided cause is called risky
    review_from: float  # and from which it is worth a person's look
    evolution_from: float  # probability from which a cause that an event may explain is expected

    @property
    def limits(self) -> tuple[float, float, float]:
        """What a verdict holds the probabilities against."""
        return self.risky_from, self.review_from, self.evolution_from

    def judge(self, terms: Sequence[Term], members: Sequence[object] = ()) -> Posterior:
        """The posterior of a cause.

        Args:
            members: Not looked at; for those who record what was judged.

        >>> shipped().judge(()).weights == shipped().version
        True
        """
        every = self.widened(terms)
        evolution = self.bias[0] + sum(self.evolution.get(t.name, 0.0) * t.value for t in every)
        risky = self.bias[1] + sum(self.risky.get(t.name, 0.0) * t.value for t in every)
        top = max(evolution, risky, 0.0)
        e, b, r = (math.exp(v - top) for v in (evolution, 0.0, risky))
        total = e + b + r
        return Posterior(round(e / total, 4), round(b / total, 4), round(r / total, 4), self.version)

    def widened(self, terms: Sequence[Term]) -> tuple[Term, ...]:
        """The terms, and one more for each rule that holds."""
        values = {t.name: t.value for t in terms}
        return (*terms, *(Term(r.name, 1.0, "together") for r in self.rules if r.holds(values)))

    def explain(self, terms: Sequence[Term]) -> tuple[Term, ...]:
        """What each term adds to the log odds of risky against benign, the largest first; terms without weight are left out."""
        parts = [Term(t.name, round(self.risky.get(t.name, 0.0) * t.value, 3), t.words) for t in self.widened(terms)]
        return tuple(sorted((p for p in parts if p.value), key=lambda t: (-abs(t.value), t.name)))


def loaded(data: Mapping[str, Any]) -> Weights:
    """Weights of their JSON form."""
    rules = tuple(Rule(tuple((n, sign, limit) for n, sign, limit in r)) for r in data.get("rules", ()))
    bias = tuple(data["bias"])
    limits = (data["risky_from"], data["review_from"], data["evolution_from"])
    return Weights(data["version"], data["evolution"], data["risky"], bias, rules, *limits)


@cache
def shipped() -> Weights:
    """The weights that this release was evaluated with."""
    return loaded(json.loads(files("classifier.drift").joinpath("weights.json").read_text()))
