"""Terms to the probabilities of three readings: evolution, rare but benign, risky. A dot product, so it can be checked by hand.

The weights are fitted offline on simulated fleets (`classifier/lab/fit.py`) by multinomial logistic regression with the
signs constrained, and shipped as `weights.json` with a version. Nothing here learns.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from classifier.drift.finding import Posterior, Term

READINGS = ("evolution", "benign", "risky")


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term adds to the score of each reading, the benign one being zero throughout."""

    version: str
    evolution: Mapping[str, float]
    risky: Mapping[str, float]
    bias: tuple[float, float]  # of evolution and of risky
    risky_from: float  # probability from which an undecided cause is called risky
    review_from: float  # and from which it is worth a person's look

    def judge(self, terms: Sequence[Term], members: Sequence[object] = ()) -> Posterior:
        """The posterior of a cause.

        Args:
            members: Not looked at; for those who record what was judged.

        >>> shipped().judge(()).weights == shipped().version
        True
        """
        evolution = self.bias[0] + sum(self.evolution.get(t.name, 0.0) * t.value for t in terms)
        risky = self.bias[1] + sum(self.risky.get(t.name, 0.0) * t.value for t in terms)
        top = max(evolution, risky, 0.0)
        e, b, r = (math.exp(v - top) for v in (evolution, 0.0, risky))
        total = e + b + r
        return Posterior(round(e / total, 4), round(b / total, 4), round(r / total, 4), self.version)

    def explain(self, terms: Sequence[Term]) -> tuple[Term, ...]:
        """What each term adds to the log odds of risky against benign, the largest first; terms without weight are left out."""
        parts = [Term(t.name, round(self.risky.get(t.name, 0.0) * t.value, 3), t.words) for t in terms]
        return tuple(sorted((p for p in parts if p.value), key=lambda t: (-abs(t.value), t.name)))


def loaded(data: Mapping[str, Any]) -> Weights:
    """Weights of their JSON form."""
    return Weights(
        data["version"], data["evolution"], data["risky"], tuple(data["bias"]), data["risky_from"], data["review_from"]
    )


@cache
def shipped() -> Weights:
    """The weights that this release was evaluated with."""
    return loaded(json.loads(files("classifier.drift").joinpath("weights.json").read_text()))
