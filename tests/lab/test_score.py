"""Figures over made-up outcomes whose values can be counted by hand."""

from __future__ import annotations

import math

from classifier.drift.finding import EXPECTED, REVIEW, RISKY, Posterior
from classifier.lab import baselines, score
from classifier.lab.harness import Case, Look, Outcome, Told
from classifier.lab.truth import Fact, Truth
from tests.factories import replica


def fact(kind: str = "risky", family: str = "escape", stealth: int = 0, start: float = 100.0) -> Fact:
    return Fact(
        kind, family, stealth, "w", start, start + 50, ("x",), (replica(1),), "d1" if kind == "evolution" else ""
    )


def told(label: str, kind: str, truths: tuple[int, ...] = (), at: float = 120.0, deploy: str | None = None) -> Told:
    return Told({label: at}, label, deploy, (), kind, ("f",), truths)


def case(kind: str, risky: float, evolution: float = 0.0, terms: dict | None = None) -> Case:
    look = Look(
        terms or {}, Posterior(evolution, round(1 - risky - evolution, 4), risky, "v"), (False, True, True), 7200.0, ()
    )
    return Case(look, look, kind, ("f",))


def outcome(facts, tolds, cases=(), months: float = 1.0) -> Outcome:
    return Outcome(1, 0, "web", months, Truth("w", 1, 0.0, 1e6, tuple(facts), ()), list(tolds), list(cases), 0, 10)


FACTS = (fact(), fact(stealth=2), fact("evolution", "rollout"))
ONE = outcome(
    FACTS,
    (
        told(RISKY, "risky", (0,), at=130.0),
        told(REVIEW, "risky", (1,)),
        told(RISKY, "benign"),
        told(REVIEW, ""),
        told(EXPECTED, "evolution", (2,), deploy="d1"),
        told(EXPECTED, "risky", (1,)),
    ),
)


def test_recall_counts_attacks_and_not_findings():
    assert score.recall([ONE]).value == 0.5 and score.recall([ONE], review=True).value == 1.0
    assert score.recall([ONE], stealth=2).value == 0.0 and math.isnan(score.recall([ONE], family="mining").value)


def test_alarms_are_counted_by_deployment_month():
    assert score.monthly([ONE, outcome((), ())], score.false_risky).value == 0.5
    assert score.monthly([ONE], score.idle_review).value == 1.0 and score.monthly([ONE], score.any_review).value == 2.0
    assert score.monthly([ONE], score.from_nothing).value == 1.0


def test_precision_of_evolution_and_what_hides_in_it():
    assert score.precision([ONE]).value == 0.5 and score.masked([ONE]).value == 0.5 and score.named([ONE]).value == 1.0


def test_delay_is_from_the_first_act_to_the_risky_label():
    assert score.delays([ONE]) == [30.0]


def test_calibration_error_is_the_mean_distance_of_its_bins():
    cases = [case("risky", 0.9), case("benign", 0.9), case("benign", 0.05), case("benign", 0.05)]
    error, bins = score.calibration([outcome((), (), cases)])
    assert math.isclose(error, (2 * 0.4 + 2 * 0.05) / 4) and [b.n for b in bins] == [2, 2]


def test_interval_lies_around_the_value_and_is_nothing_without_data():
    f = score.recall([ONE, ONE, outcome((fact(),), ())])
    assert f.low <= f.value <= f.high and score.Figure(float("nan"), 0.0, 0.0, 0).plain()["value"] is None


def test_simple_rules_on_the_same_causes():
    cases = [case("risky", 0.9), case("evolution", 0.1, 0.8), case("benign", 0.0)]
    rules = {
        "novelty": baselines.novelty,
        "1 h": baselines.within(1),
        "24 h": baselines.within(24),
        "three": baselines.three_tests,
    }
    rows = {r.rule: r for r in baselines.table([outcome((), (), cases)], rules)}
    assert rows["novelty"].recall == 1.0 and rows["novelty"].false_risky == 2.0
    assert rows["1 h"].recall == 1.0 and rows["24 h"].recall == 0.0 and rows["24 h"].precision == 1 / 3
    assert rows["three"].reviews == 2.0 and rows["three"].plain()["precision"] is None
