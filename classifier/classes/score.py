"""Facts to a ranking of the classes, every point of it a term with its number; and the winner, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from classifier.classes.facts import Facts
from classifier.classes.table import CLASSES, UNKNOWN

LEAST = 3.0  # points that a class needs
PRESENT = 1.0  # of them from what is there, not from what is absent
MARGIN = 1.0  # points before the next one


@dataclass(frozen=True, slots=True)
class Reason:
    """One term of one class, applied."""

    fact: str
    points: float
    words: str
    shown_by: tuple[str, ...]
    absence: bool


@dataclass(frozen=True, slots=True)
class Score:
    """One class with its points and where they come from, the weightiest first."""

    name: str
    points: float
    reasons: tuple[Reason, ...]

    @property
    def present(self) -> float:
        """Points from what is there."""
        return round(sum(r.points for r in self.reasons if r.points > 0 and not r.absence), 3)


@dataclass(frozen=True, slots=True)
class Ranking:
    """All classes, the best first, and what follows."""

    winner: str
    because: str
    margin: float
    scores: tuple[Score, ...]

    def of(self, name: str) -> Score | None:
        """The score of a class; None for `unknown`."""
        return next((s for s in self.scores if s.name == name), None)


def rank(facts: Facts, *, least_days: int) -> Ranking:
    """Every class's points, and the winner.

    Args:
        least_days: active days below which nothing is proposed.
    """
    scores = tuple(sorted((_score(name, facts) for name in CLASSES), key=lambda s: (-s.points, s.name)))
    best, second = scores[0], scores[1]
    margin = round(best.points - second.points, 3)
    return Ranking(*_winner(facts, best, second, margin, least_days), margin, scores)


def _score(name: str, facts: Facts) -> Score:
    reasons = []
    for term in CLASSES[name].terms:
        fact = facts.known.get(term.fact)
        if fact is not None and (points := round(term.weight * term.share(fact.value), 3)):
            reasons.append(Reason(term.fact, points, fact.words, () if term.absence else fact.shown_by, term.absence))
    reasons.sort(key=lambda r: (-abs(r.points), r.fact))
    return Score(name, round(sum(r.points for r in reasons), 3), tuple(reasons))


def _winner(facts: Facts, best: Score, second: Score, margin: float, least_days: int) -> tuple[str, str]:
    if facts.active_days < least_days:
        return UNKNOWN, f"{facts.active_days} of the {least_days} active days that a proposal needs"
    if best.points < LEAST or best.present < PRESENT:
        return UNKNOWN, f"too little speaks for any class: {best.name} has {best.points:g} points of {LEAST:g}"
    if margin < MARGIN:
        return (
            UNKNOWN,
            f"{best.name} ({best.points:g}) and {second.name} ({second.points:g}) are too close to tell apart",
        )
    return best.name, f"{words(best)}; {margin:g} points before {second.name}"


def words(score: Score, most: int = 3) -> str:
    """The weightiest reasons for a class in one line."""
    return ", ".join(f"{r.words} ({r.points:+g})" for r in [r for r in score.reasons if r.points > 0][:most])
