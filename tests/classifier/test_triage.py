"""What a person decides holds for the finding's own workload, is kept as history, and widens nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from classifier.drift.finding import RISKY
from classifier.pipeline import Pipeline
from tests.classifier.story import ATTACK, POLICY, born, days, head, learned, play
from tests.factories import SHOP, use
from wire.records import Tick, Triage, Window

OTHER = SHOP.replace("cart", "billing")
BILLING = (11, 12)
# A stranger by an owner that nobody has seen: a finding of its own however much is tolerated.
STRANGE = use("egress:tcp:odd.example.org:443", 2, bytes_out=1_500, bytes_in=900, data={"lineage": "perl<cron"})


def two_workloads(*uses) -> Pipeline:
    """Two workloads that learned the same and now show the same."""
    both = dict.fromkeys((1, 2, *BILLING), uses)
    records = [*learned(1, 2, until=0), *(born(n, workload=OTHER) for n in BILLING)]
    return play([*records, *days(0, 40, 1, 2, *BILLING), *days(40, 44, 1, 2, *BILLING, uses=both)])


def of(pipeline: Pipeline, workload: str):
    return [f for f in pipeline.findings() if f.workload == workload]


def decide(pipeline: Pipeline, decision: str, note: str = "because") -> None:
    (finding,) = of(pipeline, SHOP)
    pipeline.feed(Triage(44.0, finding.id, decision, "ada", note))


@pytest.mark.parametrize("decision", ["accept", "adopt"])
def test_what_is_accepted_here_is_still_unknown_elsewhere(decision):
    pipeline = two_workloads(STRANGE)
    (before,) = of(pipeline, OTHER)
    decide(pipeline, decision, "owner ada: change 812")
    assert pipeline.envelope(SHOP).knows(STRANGE.behaviour)
    assert not pipeline.envelope(OTHER).knows(STRANGE.behaviour)
    assert of(pipeline, OTHER) == [before]
    (after,) = of(pipeline, SHOP)
    assert after.state == "accepted"
    assert after.history[-1].because == f"ada decided {decision}: owner ada: change 812"


def test_an_accepted_amount_is_a_bound_of_its_own_workload_only():
    much = replace(STRANGE, bytes_out=4_900_000)
    pipeline = two_workloads(much)
    limits = {b: (i.limit_out, i.limit_in) for b, i in pipeline.envelope(OTHER).items.items()}
    decide(pipeline, "accept")
    assert {b: (i.limit_out, i.limit_in) for b, i in pipeline.envelope(OTHER).items.items()} == limits


def test_acceptance_admits_what_was_found_and_nothing_like_it():
    pipeline = two_workloads(STRANGE)
    known = set(pipeline.envelope(SHOP).items)
    decide(pipeline, "accept")
    assert set(pipeline.envelope(SHOP).items) - known <= {STRANGE.behaviour}


def test_accepted_behaviour_stays_silent_and_its_twin_elsewhere_does_not():
    pipeline = two_workloads(STRANGE)
    decide(pipeline, "accept")
    counted = of(pipeline, OTHER)[0].count
    play(days(45, 50, 1, 2, *BILLING, uses=dict.fromkeys((1, 2, *BILLING), (STRANGE,))), pipeline=pipeline)
    assert len(of(pipeline, SHOP)) == 1 and of(pipeline, SHOP)[0].state == "accepted"
    assert of(pipeline, OTHER)[0].count > counted


@pytest.mark.parametrize("decision", ["reject", "risky"])
def test_what_is_rejected_is_risky_for_good_and_never_learned(decision):
    pipeline = two_workloads(STRANGE)
    decide(pipeline, decision)
    play(days(45, 80, 1, 2, uses=dict.fromkeys((1, 2), (STRANGE,))), pipeline=pipeline)
    assert of(pipeline, SHOP)[0].label == RISKY
    assert not pipeline.envelope(SHOP).knows(STRANGE.behaviour)


def test_a_decision_survives_a_restart_and_a_replay():
    records = [head(), *(born(n) for n in (1, 2)), *days(0, 40, 1, 2), *days(40, 44, 1, 2, uses={1: ATTACK})]
    once = play(records)
    triage = Triage(44.0, once.findings()[0].id, "adopt", "ada", "owner ada: drill")
    again = Pipeline.restore(POLICY, play([*records, triage]).snapshot())
    assert again.findings() == play([*records, triage]).findings()
    assert isinstance(records[-1], Tick) and isinstance(records[-2], Window)
