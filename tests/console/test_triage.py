"""`finding triage`: who decides what about one finding, with the reason, and what was decided before."""

from __future__ import annotations

import json

import pytest

from classifier import control
from console.cli import finding as command
from tests.console.report.samples import finding


@pytest.fixture
def answered(classifier):
    decided = {"version": 3, "label": "risky_drift", "time": 9.0, "because": "ada decided reject: data by ) by left"}
    found = finding(history=[*finding()["history"], decided])
    classifier.answers = {"/findings/f1": (200, found), "/triage": (200, {"finding": "f1"})}
    return classifier


def test_command_and_classifier_know_the_same_decisions():
    assert (command.DECISIONS, command.REASONED) == (control.DECISIONS, control.REASONED)


@pytest.mark.parametrize("decision", command.REASONED)
@pytest.mark.parametrize("note", [[], ["--note", "  "]], ids=["none", "blank"])
def test_a_decision_that_teaches_needs_a_reason(answered, driftline, decision, note):
    result = driftline("finding", "triage", "f1", decision, *note)
    assert result.exit_code == 2 and f"{decision} needs --note" in result.stderr
    assert answered.asked == []


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        pytest.param(["accept", "--note", "ok"], {"decision": "accept", "note": "ok"}, id="accept"),
        pytest.param(["reject", "--note", "theft"], {"decision": "reject", "note": "theft"}, id="reject"),
        pytest.param(["risky", "--note", "theft"], {"decision": "risky", "note": "theft"}, id="old-word"),
        pytest.param(["dismiss"], {"decision": "dismiss", "note": ""}, id="dismiss"),
        pytest.param(["adopt", "--note", "x"], {"decision": "adopt", "note": "owner ann: x"}, id="adopt"),
        pytest.param(
            ["adopt", "--note", "x", "--owner", "team-a"], {"decision": "adopt", "note": "owner team-a: x"}, id="owner"
        ),
    ],
)
def test_a_decision_is_told_with_who_and_why(answered, driftline, arguments, body):
    result = driftline("finding", "triage", "f1", *arguments, "--actor", "ann")
    assert (result.exit_code, result.stdout) == (0, f"f1: {arguments[0]}\n")
    assert answered.asked[-1] == ("POST", "/triage", {"finding": "f1", "actor": "ann"} | body)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing-decided"),
        pytest.param(["accept", "--note", "x", "--owner", "o"], id="owner-of-what"),
        pytest.param(["accept", "--history"], id="history-and-decision"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(answered, driftline, arguments):
    assert driftline("finding", "triage", "f1", *arguments).exit_code == 2
    assert answered.asked == []


def test_history_says_every_label_and_who_gave_it(answered, driftline):
    shown = driftline("finding", "triage", "f1", "--history").stdout.splitlines()
    assert len(shown) == 3 and shown[0].endswith("needs_review  table.")
    assert shown[2].endswith("risky_drift  ada decided reject: data by ) by left")
    told = json.loads(driftline("finding", "triage", "f1", "--history", "--json").stdout)
    assert [v["version"] for v in told] == [1, 2, 3]
