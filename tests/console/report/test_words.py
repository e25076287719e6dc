"""What a finding's values say in words; what is not there is left out, not guessed."""

from __future__ import annotations

import pytest

from console.report import words
from tests.console.report.samples import PEER, evolution, finding, old, review, signal


def test_the_probability_of_a_label_is_its_own_outcome():
    assert (words.own_probability(finding()), words.own_probability(evolution())) == (0.96, 0.99)
    assert words.probability(finding()) == "risky 0.960, benign 0.036, evolution 0.004 (weights w3)"


def test_an_old_finding_says_less_and_nothing_wrong():
    found = old()
    assert (words.own_probability(found), words.probability(found), words.placement(found)) == (None, "", "")
    assert words.considered(found) == [] and words.cause(found).startswith("no matching event within")


def test_placement_counts_both_sides_and_what_nobody_can_tell():
    assert words.placement(finding()) == (
        "on 1 of 4 replicas with the change, on 0 of 2 without it; of 1 nobody can tell"
    )


def test_the_event_that_explains_comes_first():
    found = finding(considered=[{"deploy": "a", "explains": False}, {"deploy": "b", "explains": True}])
    assert [c["deploy"] for c in words.considered(found)] == ["b", "a"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            review(), "an authenticated deploy event that names exec:/bin/sh<python3.11, in time and on the replicas "
            "with the change only: expected evolution", id="review-becomes-evolution",
        ),
        pytest.param(review(), "more bytes in one window than was ever learned: risky drift", id="review-to-risky"),
        pytest.param(review(), "no decision by ada until 1970-02-02 00:00:00Z: it ages, as needs review", id="age"),
        pytest.param(evolution(), "a replica without the change that shows it too: needs review", id="evolution"),
        pytest.param(evolution(), "a person who rejects it before its probation ends: risky drift, for good", id="say"),
        pytest.param(finding(state="dismissed"), "nothing by itself: it is dismissed", id="closed"),
        pytest.param(
            finding(deviations=[{"behaviour": "identity:token:/x", "severity": 3}]),
            "but identity:token:/x is an identity or a secret: risky until an authenticated event names it", id="secret",
        ),
    ],
)  # fmt: skip
def test_what_would_change_a_label_is_said(found, said):
    assert any(line.startswith(said) for line in words.otherwise(found)), words.otherwise(found)


def test_a_signal_that_cannot_be_told_is_read_as_the_classifier_reads_it():
    unknown = signal(None, 0.0, "nothing known")
    tame = review(deviations=[{"behaviour": PEER, "severity": 1}])
    tame["signals"]["pattern_continuity"] = unknown
    assert any(line.endswith("expected evolution") for line in words.otherwise(tame))


def test_a_record_is_one_bounded_line():
    event = {"time": 1.0, "kind": "exec", "behaviour": "exec:/x", "data": {"argv": "y" * 5000}}
    assert len(words.record(event)) == 160 and len(words.record(event, limit=None)) > 5000


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param("open", "open, for ada to decide until 1970-01-01 00:01:00Z", id="open"),
        pytest.param("aged", "aged, ada did not decide until 1970-01-01 00:01:00Z", id="aged"),
        pytest.param("accepted", "accepted", id="accepted"),
    ],
)
def test_a_time_limit_that_has_passed_is_not_told_as_one_that_runs(state, said):
    assert words.waiting(state, "ada", 60.0) == said


def test_the_probability_of_a_review_says_of_what():
    found = finding(label="needs_review")
    told = words.sure("needs_review", words.own_reading(found), words.own_probability(found))
    assert told == "0.96 risky"
    assert words.own_reading(old()) == "" and words.sure("needs_review", "", None) == ""
