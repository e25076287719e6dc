"""`driftline class`: on a trace, and what it asks the running classifier to do."""

import csv
import io
import json

import pytest

from console.cli.classes import COLUMNS
from tests.fixtures import fx2
from tests.fixtures.fleet import at
from wire.records import Pin
from wire.trace import Writer


@pytest.fixture(scope="module")
def two_agents(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "fx2.trace"
    with Writer(path) as writer:
        for record in [*fx2.fx2(end=at(6)), Pin(at(6), fx2.RAG, "class", "web-service", "ann", "a \x1b[2Jmistake")]:
            writer.add(record)
    return path


def test_list_shows_proposed_and_pinned_classes(driftline, two_agents):
    found = json.loads(driftline("class", "list", "--trace", two_agents, "--json").stdout)
    assert [(c["workload"], c["class"], c["proposed"], c["pinned_by"]) for c in found] == [
        (fx2.CODE, "code-execution", "code-execution", None),
        (fx2.RAG, "web-service", "read-only-retrieval", "ann"),
    ]
    rows = list(csv.DictReader(io.StringIO(driftline("class", "list", "--trace", two_agents, "--csv").stdout)))
    assert [r["retier_required"] for r in rows] == ["False", "True"] and list(rows[0]) == list(COLUMNS)


def test_show_says_why_with_evidence_and_why_the_others_lost(driftline, two_agents):
    shown = driftline("class", "show", fx2.CODE, "--trace", two_agents).stdout
    for words in ("code-execution", "41 interpreter starts a day", fx2.RUN, "points behind code-execution", "changes"):
        assert words in shown


def test_a_hostile_note_is_shown_without_harm(driftline, two_agents):
    shown = driftline("class", "show", fx2.RAG, "--trace", two_agents).stdout
    assert "\\x1b[2Jmistake" in shown and "\x1b" not in shown


def test_baseline_says_when_there_is_too_little(driftline, two_agents):
    result = driftline("class", "baseline", "code-execution", "--trace", two_agents)
    assert result.exit_code == 0 and "1 workloads" in result.stdout and "no three workloads" in result.stderr
    assert (
        json.loads(driftline("class", "baseline", "tool-user", "--trace", two_agents, "--json").stdout)["workloads"]
        == 0
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["show", "nobody"], 1, "the trace holds no workload nobody", id="unknown-workload"),
        pytest.param(["baseline", "toaster"], 2, "toaster", id="unknown-class"),
    ],
)
def test_what_is_not_there_is_said(driftline, two_agents, arguments, code, words):
    result = driftline("class", *arguments, "--trace", two_agents)
    assert result.exit_code == code and words in result.stderr


def test_pin_and_unpin_are_pins_of_the_stream(classifier, driftline):
    classifier.answers = {"/pins": (200, {})}
    assert driftline("class", "pin", fx2.RAG, "tool-user", "--note", "why", "--actor", "ann").exit_code == 0
    assert driftline("class", "unpin", fx2.RAG, "--actor", "bob").exit_code == 0
    plain = {"workload": fx2.RAG, "what": "class"}
    assert [body for _, _, body in classifier.asked] == [
        plain | {"value": "tool-user", "note": "why", "actor": "ann"},
        plain | {"value": "", "note": "", "actor": "bob"},
    ]


def test_a_class_that_does_not_exist_is_a_mistake_of_usage(classifier, driftline):
    result = driftline("class", "pin", fx2.RAG, "toaster")
    assert result.exit_code == 2 and not classifier.asked
