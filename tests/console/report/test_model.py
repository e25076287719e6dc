"""A report holds every change once, its sums add up, and what is not a change is still there to be seen."""

from __future__ import annotations

import json

import pytest

from classifier.drift.finding import REVIEW
from classifier.policy import Policy
from console.report.model import Span, made, plain
from tests.console.report import fifteen
from tests.console.report.samples import evolution, finding, review
from tests.factories import SHOP
from tests.fixtures import fx5

SPAN = Span(10 * 86400.0, 40 * 86400.0, 30.0)
EVENT = {"id": "d1", "workload": SHOP, "kind": "image", "time": 10 * 86400.0, "actor": "ci", "trust": "signed",
         "revision": "r2", "refused": ""}  # fmt: skip


def report(*findings, deploys=(EVENT,), envelope=None):
    return made(findings, deploys, {SHOP: envelope}, span=SPAN, policy=Policy(), source="test")


def test_fifteen_changes_are_six_five_and_four():
    """D098: nothing hidden, the sum is the number of changes."""
    counts = fifteen.report().counts
    assert (counts["evolution"], counts["risky"], counts["review"], counts["changes"]) == (6, 5, 4, 15)


def test_every_evolution_row_names_its_event_and_every_other_says_that_none_matches():
    """D099."""
    (part,) = fifteen.report().parts
    assert {r.event for r in part.evolution} == {c.event for c in fx5.CHANGES if c.event}
    assert all(r.cause.startswith(f"event {r.event} (") for r in part.evolution)
    assert all(
        r.cause.startswith("no matching event within 24 h before and 0.5 h after") for r in (*part.risky, *part.review)
    )


def test_a_refused_event_is_named_after_the_sentence_that_none_matches():
    (part,) = fifteen.report().parts
    (masked,) = [r for r in part.risky if "upload" in r.title or "curl" in r.title]
    assert "; event prompt-v9 refused" in masked.cause


def test_events_that_changed_nothing_are_listed_with_why():
    (part,) = fifteen.report().parts
    assert {d.id: d.why for d in part.idle} == {
        "restart-3": "changed nothing that can be seen from here",
        "fake": "refused: bad signature",
    }


def test_what_came_before_the_span_is_apart_and_what_comes_after_is_not_there():
    early, late = finding(id="e", opened=5 * 86400.0), finding(id="l", opened=41 * 86400.0)
    closed = finding(id="c", opened=5 * 86400.0, state="dismissed")
    (part,) = report(early, late, closed, finding()).parts
    assert [r.id for r in part.earlier] == ["e"] and [r.id for r in part.rows] == ["f1"]


def test_a_label_of_a_later_version_goes_to_review_and_is_not_lost():
    (part,) = report(finding(label="something_new")).parts
    assert [r.label for r in part.review] == ["something_new"] and part.counts["changes"] == 1


def test_what_the_envelope_took_in_is_counted_and_listed():
    taken = {"behaviour": "open:data:/x", "first": 20 * 86400.0}
    before = {"behaviour": "open:data:/y", "first": 1.0}
    found = {"behaviour": "exec:/bin/sh<python3.11", "first": 20 * 86400.0}
    (part,) = report(finding(), envelope={"behaviours": [taken, before, found]}).parts
    assert [b["behaviour"] for b in part.taken] == ["open:data:/x"] and part.counts["variance"] == 1


def test_risky_rows_are_ranked_identity_data_tool_model():
    """D111."""
    by_kind = {
        "model": "open:model:/m", "tool": "exec:/opt/x<y", "data": "egress:tcp:a.example:443", "id": "identity:token:/t",
    }  # fmt: skip
    found = [
        finding(id=name, opened=11 * 86400.0 + n, deviations=[{"behaviour": b}])
        for n, (name, b) in enumerate(by_kind.items())
    ]
    (part,) = report(*found).parts
    assert [r.id for r in part.risky] == ["id", "data", "tool", "model"]
    assert [r.id for r in part.risky if r.cause.endswith("possible model poisoning")] == ["model"]


def test_an_event_of_a_deployment_concerns_its_containers_only():
    parent = EVENT | {"workload": SHOP.rsplit("/", 1)[0], "id": "p", "time": 12 * 86400.0}
    other = EVENT | {"workload": SHOP + "2", "id": "o", "time": 12 * 86400.0}
    (part,) = report(deploys=[parent, other]).parts
    assert [d.id for d in part.idle] == ["p"]


@pytest.mark.parametrize("envelope", [None, {}, fifteen.envelope()], ids=["none", "empty", "full"])
def test_a_report_is_plain_json(envelope):
    text = json.dumps(plain(report(finding(), evolution(), review(), envelope=envelope)), allow_nan=False)
    assert json.loads(text)["counts"] == {
        "evolution": 1, "risky": 1, "review": 1, "changes": 3, "variance": json.loads(text)["counts"]["variance"],
        "idle_events": 0,
    }  # fmt: skip


def test_no_workload_is_an_empty_report():
    empty = made([], [], {}, span=SPAN, policy=Policy(), source="x")
    assert empty.counts["changes"] == 0 and empty.parts == ()


def test_labels_come_from_the_classifier_alone():
    (part,) = report(review()).parts
    assert part.review[0].label == REVIEW


def test_a_rejected_event_is_named_where_the_finding_does_not_name_it_itself():
    found = finding(why_no_deploy="scope_match=false")
    (part,) = report(found).parts
    assert part.risky[0].cause.endswith("; event p9 rejected: the declared scope of 1 patterns does not name it")
