"""Requests to io_uring are behaviours: learned with the others, and news where they never were."""

from __future__ import annotations

from classifier.classes import templates
from classifier.drift.features import features
from classifier.drift.finding import EXPECTED, REVIEW
from classifier.envelope.dimensions import dimension
from tests.classifier.story import born, days, learned, play, rollout
from tests.classifier.test_posterior import judged
from tests.factories import SHOP, use

OPENS = use("io_uring:openat", 4, evidence=("n1/e1/80",), data={"lineage": "python3.11"})
CONNECTS = use("io_uring:connect", data={"lineage": "python3.11"})
ASKED = (OPENS, CONNECTS)


def test_a_workload_that_begins_to_work_through_a_ring_deviates():
    [found] = play([*learned(1, 2), *days(40, 46, 1, 2, uses={1: ASKED})]).findings()
    assert found.label == REVIEW and found.deploy is None and "n1/e1/80" in found.evidence
    assert [d.behaviour for d in found.deviations] == ["io_uring:openat", "io_uring:connect"]


def test_one_that_always_did_is_no_news():
    uses = {1: ASKED, 2: ASKED}
    pipeline = play([*learned(1, 2, until=1), *days(1, 60, 1, 2, uses=uses)])
    assert pipeline.findings() == []
    assert pipeline.envelope(SHOP).knows("io_uring:openat")


def test_a_rollout_that_declares_it_is_expected():
    change = rollout(40.0, scope=("io_uring:*",))
    fresh = [born(n, revision="r2", time=40.5) for n in (3, 4)]
    [found] = play([*learned(1, 2), change, *fresh, *days(41, 60, 3, 4, uses={3: ASKED, 4: ASKED})]).findings()
    assert found.label == EXPECTED and found.deploy == "d1"


def test_requests_count_with_the_system_calls():
    assert dimension(OPENS.behaviour) == templates.dimension(OPENS.behaviour) == "syscall"


def test_requests_weigh_like_system_calls():
    pipeline = play(learned(1, 2))
    terms = {t.name for t in features([judged(behaviour=OPENS.behaviour)], pipeline.envelope(SHOP), {})}
    assert "kind syscall" in terms
