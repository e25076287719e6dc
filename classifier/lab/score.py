"""Judged deployments to figures: recall by family and stealth, false alarms, reviews, precision, calibration, latency.

Intervals are 95 % bootstrap intervals over deployments, since the causes of one deployment are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from classifier.drift.severity import is_secret
from classifier.lab.harness import Outcome, Told, caught
from classifier.lab.truth import EVOLUTION
from classifier.lab.truth import RISKY as ATTACK

RESAMPLES = 400
BINS = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its interval; NaN where there was nothing to count."""

    value: float
    low: float
    high: float
    n: int  # what it was counted on

    def plain(self) -> dict[str, float | int | None]:
        """For JSON; None instead of NaN."""
        values = {"value": self.value, "low": self.low, "high": self.high}
        return {k: None if np.isnan(v) else round(v, 4) for k, v in values.items()} | {"n": self.n}


Count = Callable[[Outcome], tuple[float, float]]  # part and whole of one deployment


def ratio(outcomes: Sequence[Outcome], count: Count) -> Figure:
    """Sum of parts over sum of wholes."""
    parts = np.array([count(o) for o in outcomes], dtype=float).reshape(-1, 2)
    whole = parts[:, 1].sum()
    if not whole:
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(0)
    picks = rng.integers(len(parts), size=(RESAMPLES, len(parts)))
    sums = parts[picks].sum(axis=1)
    again = sums[:, 0] / np.maximum(sums[:, 1], 1e-9)
    low, high = np.percentile(again, (2.5, 97.5))
    return Figure(float(parts[:, 0].sum() / whole), float(low), float(high), round(whole))


def recall(
    outcomes: Sequence[Outcome], *, family: str = "", stealth: int | None = None, review: bool = False
) -> Figure:
    """Share of attacks that were called risky, or at least given to a person."""

    def count(o: Outcome) -> tuple[float, float]:
        mine = [n for n, f in enumerate(o.truth.facts) if _attack(f, o, family, stealth)]
        return sum(caught(o, n)[review] is not None for n in mine), len(mine)

    return ratio(outcomes, count)


def _attack(fact, o: Outcome, family: str, stealth: int | None) -> bool:
    return (
        fact.kind == ATTACK
        and fact.end >= o.truth.judged_from
        and (not family or fact.family == family)
        and (stealth is None or fact.stealth == stealth)
    )


def monthly(outcomes: Sequence[Outcome], wanted: Callable[[Told], bool]) -> Figure:
    """Findings of a kind per deployment-month."""
    return ratio(outcomes, lambda o: (sum(wanted(t) for t in o.told), o.months))


def false_risky(t: Told) -> bool:
    """Ever called risky, and nobody attacked."""
    return RISKY in t.labels and t.kind != ATTACK


def by_rule(t: Told) -> bool:
    """The same about a credential: one that no event names is never below risky, by demand."""
    return false_risky(t) and any(is_secret(m.behaviour) for m in t.members)


def idle_review(t: Told) -> bool:
    """Ever given to a person, never called risky, and nobody attacked."""
    return REVIEW in t.labels and RISKY not in t.labels and t.kind != ATTACK


def any_review(t: Told) -> bool:
    """Ever given to a person and never called risky, whatever it was."""
    return REVIEW in t.labels and RISKY not in t.labels


def from_nothing(t: Told) -> bool:
    """Risky or for review, and nothing at all had happened but load, scaling and restarts."""
    return not t.kind and t.final != EXPECTED


def precision(outcomes: Sequence[Outcome]) -> Figure:
    """Share of findings that ended as expected evolution and are a rollout's."""

    def count(o: Outcome) -> tuple[float, float]:
        mine = [t for t in o.told if t.final == EXPECTED]
        return sum(t.kind == EVOLUTION for t in mine), len(mine)

    return ratio(outcomes, count)


def masked(outcomes: Sequence[Outcome]) -> Figure:
    """Share of findings that ended as expected evolution and hide an attack."""

    def count(o: Outcome) -> tuple[float, float]:
        mine = [t for t in o.told if t.final == EXPECTED]
        return sum(t.kind == ATTACK for t in mine), len(mine)

    return ratio(outcomes, count)


def named(outcomes: Sequence[Outcome]) -> Figure:
    """Share of right evolution findings that name the event which really caused them."""

    def count(o: Outcome) -> tuple[float, float]:
        mine = [t for t in o.told if t.final == EXPECTED and t.kind == EVOLUTION]
        return sum(t.deploy in {o.truth.facts[n].deploy for n in t.truths} for t in mine), len(mine)

    return ratio(outcomes, count)


def flips(outcomes: Sequence[Outcome]) -> Figure:
    """Share of findings whose label changed after it was first told."""
    return ratio(outcomes, lambda o: (sum(t.flips > 0 for t in o.told), len(o.told)))


def delays(outcomes: Sequence[Outcome]) -> list[float]:
    """Seconds from an attack's first act to the first risky label, for those that got one."""
    found = []
    for o in outcomes:
        for n, f in enumerate(o.truth.facts):
            if _attack(f, o, "", None) and (at := caught(o, n)[0]) is not None:
                found.append(max(0.0, at - f.start))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Bin:
    """Causes whose probability of being risky lies within one tenth."""

    low: float
    predicted: float  # mean
    observed: float  # share that were attacks
    n: int


def calibration(outcomes: Sequence[Outcome]) -> tuple[float, list[Bin]]:
    """Expected calibration error of the risky probability at the last look, and its bins (Guo et al., ICML 2017)."""
    p = np.array([c.last.posterior.risky for o in outcomes for c in o.cases])
    y = np.array([c.kind == ATTACK for o in outcomes for c in o.cases], dtype=float)
    if not len(p):
        return float("nan"), []
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = [
        Bin(b / BINS, float(p[m].mean()), float(y[m].mean()), int(m.sum()))
        for b in range(BINS)
        if (m := place == b).any()
    ]
    return sum(abs(b.predicted - b.observed) * b.n for b in bins) / len(p), bins
