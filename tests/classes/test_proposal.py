"""Proposals: FX-2 through the pipeline, steady from day to day, every change recorded, a replay says the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.classes.facts import Facts, facts
from classifier.classes.proposal import CHANGES, PATIENCE, RESTFUL, Proposal
from classifier.classes.score import Ranking, Score, rank
from classifier.classes.table import UNKNOWN
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.classes.agents import lived
from tests.fixtures import fx2
from tests.fixtures.fleet import at
from wire.records import Pin


def ranking(winner: str, *, second: str = "tool-user", margin: float = 2.0) -> Ranking:
    return Ranking(winner, "said", margin, (Score(winner, 5.0, ()), Score(second, 5.0 - margin, ())))


def told(*winners: str) -> Proposal:
    """A proposal after one ranking a day."""
    proposal = Proposal()
    for day, winner in enumerate(winners):
        proposal.update(Facts(day, day, {}), ranking(winner, second=proposal.name), float(day))
    return proposal


@pytest.mark.parametrize(
    ("winners", "name"),
    [
        pytest.param(["web-service"], "web-service", id="first-at-once"),
        pytest.param(["web-service", "batch-worker", "web-service", "batch-worker"], "web-service", id="flip-flop"),
        pytest.param(["web-service", "batch-worker", "model-server", "batch-worker"], "web-service", id="three-rivals"),
        pytest.param(["web-service", *["batch-worker"] * PATIENCE], "batch-worker", id="for-days"),
        pytest.param(["web-service", *[UNKNOWN] * 9], "web-service", id="unknown-takes-nothing-back"),
        pytest.param([UNKNOWN], UNKNOWN, id="nothing-known"),
    ],
)
def test_a_proposal_changes_only_when_another_class_has_won_for_days(winners, name):
    assert told(*winners).name == name


def test_a_rival_without_a_margin_over_what_stands_does_not_win():
    proposal = told("web-service")
    for day in range(1, 9):
        proposal.update(Facts(day, day, {}), ranking("batch-worker", second="web-service", margin=0.5), float(day))
    assert proposal.name == "web-service" and proposal.rival == ""


def test_a_day_without_traffic_is_no_evidence():
    proposal = told("web-service")
    for _ in range(9):
        assert not proposal.update(Facts(1, 0, {}), ranking("batch-worker", second="web-service"), 9.0)
    assert proposal.name == "web-service"


def test_changes_are_recorded_with_time_and_reason_and_bounded():
    proposal = told("web-service", *["batch-worker"] * 3)
    assert [(c.time, c.before, c.after) for c in proposal.changes] == [
        (0.0, UNKNOWN, "web-service"),
        (3.0, "web-service", "batch-worker"),
    ]
    assert "3 active days in a row" in proposal.changes[-1].because
    many = told(*[name for n in range(2 * CHANGES) for name in [("web-service", "batch-worker")[n % 2]] * PATIENCE])
    assert len(many.changes) == CHANGES


@pytest.mark.parametrize(
    ("proposal", "last", "size", "due"),
    [
        pytest.param(Proposal("web-service", judged=5, size=9), 6, 9, False, id="settled"),
        pytest.param(Proposal("web-service", judged=5, size=9), 6, 10, True, id="something-new"),
        pytest.param(Proposal("web-service", judged=5, size=9), 5 + RESTFUL, 9, True, id="after-a-week"),
        pytest.param(Proposal("web-service", judged=5, size=9), 5, 10, False, id="no-new-day"),
        pytest.param(Proposal("web-service", "batch-worker", 1, 5, size=9), 6, 9, True, id="a-rival"),
        pytest.param(Proposal(judged=5, size=9), 6, 9, True, id="unknown"),
    ],
)
def test_a_look_is_taken_when_it_may_change_something(proposal, last, size, due):
    assert proposal.due(last, size) is due


FX2 = fx2.fx2(with_support=True, end=at(9))
PIN = Pin(at(5), fx2.SUPPORT, "class", "orchestrator", "ann", "calls others on Mondays")
RECORDS = [*FX2[:1500], PIN, *FX2[1500:]]


def fed(records, cuts=frozenset()) -> Pipeline:
    pipeline = Pipeline(Policy())
    for n, record in enumerate(records):
        if n in cuts:
            pipeline = Pipeline.restore(Policy(), pipeline.snapshot())
        pipeline.feed(record)
    return pipeline


PLAIN = fed(RECORDS)


def test_fx2_gives_the_classes_that_it_was_built_for():
    known = PLAIN.known()
    assert {w: known.proposed(w) for w in (fx2.RAG, fx2.CODE, fx2.SUPPORT)} == {
        fx2.RAG: "read-only-retrieval",
        fx2.CODE: "code-execution",
        fx2.SUPPORT: "tool-user",
    }
    assert known.class_of(fx2.SUPPORT) == "orchestrator" and known.class_of(fx2.RAG) == "read-only-retrieval"


def test_fx2_says_why_with_the_numbers_of_the_fixture():
    proposals = PLAIN.known().proposals
    assert "0 execs a day" in proposals[fx2.RAG].changes[0].because
    assert f"{fx2.SPAWNS} interpreter starts a day" in proposals[fx2.CODE].changes[0].because
    assert all(len(p.changes) == 1 for p in proposals.values())


@settings(max_examples=4, deadline=None)
@given(cuts=st.sets(st.integers(0, len(RECORDS) - 1), max_size=2))
def test_snapshot_and_restore_at_any_point_change_no_proposal(cuts):
    assert fed(RECORDS, cuts).snapshot() == PLAIN.snapshot()


def test_a_name_and_a_namespace_change_nothing():
    one, other = (facts(lived("tool-user", workload=w)) for w in ("a/b/Deployment/c/d", "dev/other/StatefulSet/x/y"))
    assert rank(one, least_days=3) == rank(other, least_days=3)
