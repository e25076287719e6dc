"""`finding show`: label and probability first, then everything a sceptic needs, on wide and narrow terminals."""

from __future__ import annotations

import json

import pytest

from console.cli import fold, showing
from tests.console.report.samples import finding, old, review
from tests.fixtures import fx5

REPLICAS = [
    {"replica": "n1/3", "revision": "r2", "saw": "saw it", "hours": 9.0, "start": 5.0},
    {"replica": "n1/1", "revision": "r1", "saw": "did not", "hours": 72.0, "start": 0.0},
    {"replica": "n2/1", "revision": "r1", "saw": "unknown", "hours": 60.5, "start": 0.0},
]


@pytest.fixture
def answered(classifier):
    classifier.answers = {
        "/findings/f1": (200, finding()),
        "/findings/f1/replicas": (200, REPLICAS),
        "/events/n1%2Fe1%2F7": (200, {"id": "n1/e1/7", "time": 5.0, "kind": "exec", "data": {"argv": "z" * 900}}),
    }
    return classifier


def test_label_and_probability_come_first(answered, driftline):
    assert driftline("finding", "show", "f1").stdout.startswith("f1  risky_drift  probability 0.96  critical\n")


def test_all_parts_are_there_in_order(answered, driftline):
    shown = driftline("finding", "show", "f1").stdout
    parts = (
        "posterior  risky 0.960", "change     unknown: nothing changed", "Signals", "deploy correlation  fails",
        "-2.60  event p9 does not name it", "Deploy events considered",
        "p9  prompt  1970-01-20 21:35:59Z  rejected     -2.60  the declared scope", "none: no matching event within",
        "Old and new replicas side by side", "on 1 of 4 replicas with the change",
        "revision r1: 0 of 2 saw it, 1 unknown", "revision r2: 1 of 1 saw it", "n2/1", "Terms", "49 times the largest",
        "Deviations", "History", "Records", "n1/e1/7", "What would change the label",
    )  # fmt: skip
    for part in parts:
        assert part in shown, part
        shown = shown.partition(part)[2]


def test_records_are_short_until_asked_for_whole(answered, driftline):
    assert "z" * 300 not in driftline("finding", "show", "f1").stdout
    assert "data.argv: " + "z" * 900 in driftline("finding", "show", "f1", "--records").stdout
    whole = json.loads(driftline("finding", "show", "f1", "--records", "--json").stdout)
    assert whole["records"][0]["id"] == "n1/e1/7" and whole["beside"] == REPLICAS


def test_a_finding_of_an_older_classifier_is_shown(classifier, driftline):
    classifier.answers = {"/findings/f1": (200, old())}
    result = driftline("finding", "show", "f1")
    assert result.exit_code == 0 and "posterior" not in result.stdout and "side by side" not in result.stdout


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_every_thought_fits_the_terminal(columns, monkeypatch, capsys):
    monkeypatch.setattr(fold, "width", lambda: columns)
    monkeypatch.setattr(showing, "width", lambda: columns)
    found = review(title="long " * 60, why_no_deploy="never " * 40)
    showing.print_one(found, (), ())
    lines = capsys.readouterr().out.splitlines()
    table = next(n for n, line in enumerate(lines) if line.startswith("Deviations"))  # a wide one is folded by rich
    assert all(len(line) <= columns for line in (lines if columns < 100 else lines[:table]))


def test_a_finding_of_a_trace_shows_its_replicas(driftline):
    found = json.loads(driftline("finding", "list", "--trace", fx5.TRACE, "--json").stdout)
    rows = [f for f in found if f["deploy"] == "ml-m2"]
    shown = driftline("finding", "show", rows[0]["id"], "--trace", fx5.TRACE).stdout
    assert "revision r1: 0 of 4 saw it\n" in shown and "revision r2: 4 of 4 saw it\n" in shown
