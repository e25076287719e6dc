"""The fit finds what is there, keeps the signs that are demanded, and gives the same weights twice."""

from __future__ import annotations

import random

from classifier.drift.finding import Posterior, Term
from classifier.drift.posterior import Rule, loaded
from classifier.lab import fit
from classifier.lab.harness import Case, Look

NOBODY = Posterior(0.0, 1.0, 0.0, "v")


def cases(n: int = 600) -> list[Case]:
    """Risky where two things come together, evolution where it is named, benign otherwise."""
    rng, found = random.Random(3), []
    for _ in range(n):
        chain, far = rng.choice((0.0, 2.0)), rng.choice((0.0, 1.0))
        named = float(rng.random() < 0.3)
        kind = "evolution" if named else "risky" if chain and far else "benign"
        terms = {"severity 1": 1.0, "chain": chain, "far name": far, "named": named, "novelty": rng.uniform(-3, 1)}
        look = Look({k: v for k, v in terms.items() if v}, NOBODY, (None, None, None), 0.0, ())
        found.append(Case(look, look, kind, ("f",)))
    return found


def test_what_only_counts_together_is_found_and_signs_are_kept(monkeypatch):
    monkeypatch.setattr(fit, "TREES", 20)
    data = fit.fit(cases())
    weights = loaded({"version": "t", "risky_from": 0.5, "review_from": 0.1, "evolution_from": 0.9} | data)
    both = weights.judge([Term("severity 1", 1.0, ""), Term("chain", 2.0, ""), Term("far name", 1.0, "")])
    one = weights.judge([Term("severity 1", 1.0, ""), Term("chain", 2.0, "")])
    assert both.risky > 0.5 > one.risky and weights.rules
    assert weights.risky.get("named", 0.0) <= 0.0 <= weights.evolution.get("named", 0.0)
    assert data == fit.fit(cases())


def test_a_rule_reads_a_missing_term_as_zero():
    rule = Rule((("chain", ">", 1.0), ("named", "<=", 0.5)))
    assert rule.holds({"chain": 1.5}) and not rule.holds({"chain": 1.5, "named": 1.0}) and not rule.holds({})
    assert rule.name == "chain > 1, named <= 0.5"


def test_some_families_are_kept_from_the_fit():
    assert set(fit.HELD_BACK) & set(fit.FIT_FAMILIES) == set() and len(fit.HELD_BACK) == 4
