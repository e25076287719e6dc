"""Commands that ask the running classifier: what they ask, how they show it, what they make of refusals."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from tests.console.conftest import HOSTILE
from tests.factories import SHOP

SIGNAL = {"holds": False, "value": -3.2, "words": "no deploy event within 24 h"}
FINDING = {
    "id": "f1",
    "version": 1,
    "workload": HOSTILE,
    "label": "risky_drift",
    "severity": "high",
    "opened": 100.0,
    "updated": 160.0,
    "title": "curl<sh sends to 203.0.113.9",
    "because": "no deploy explains it",
    "signals": {
        "deploy_correlation": SIGNAL,
        "pattern_continuity": SIGNAL,
        "resource_bounds": SIGNAL | {"holds": None},
    },
    "deploy": None,
    "why_no_deploy": "none was announced",
    "deviations": [{"behaviour": "egress:tcp:203.0.113.9:443", "why": "new", "severity": 2, "lineage": "curl<sh"}],
    "replicas": 1,
    "revisions": ["r1"],
    "count": 4,
    "evidence": ["n1/e1/7", "n1/e1/8"],
    "history": [],
    "state": "open",
}
ENVELOPE = {
    "workload": SHOP,
    "state": "converged",
    "because": "14 active days",
    "first": 0.0,
    "last": 86400.0,
    "behaviours": [{"behaviour": "egress:tcp:a.example.org:443", "state": "admitted", "count": 7, "last": 10.0}],
    "syscalls": [0, 1],
}
EVENT = {
    "id": "n1/e1/7",
    "time": 101.0,
    "kind": "exec",
    "behaviour": "exec:/usr/bin/curl<sh",
    "data": {"argv": "a\x1bb"},
}


@pytest.fixture
def full(classifier):
    classifier.answers = {
        "/findings": (200, [FINDING]),
        "/findings/f1": (200, FINDING),
        "/events/n1%2Fe1%2F7": (200, EVENT),
        "/workloads": (200, [{"workload": HOSTILE, "state": "learning", "because": "2 of 3 days", "last_seen": 5.0}]),
        "/envelopes/lab%2Fshop%2FDeployment%2Fcart%2Fcart": (200, ENVELOPE),
        "/deploys": (200, [{"id": "d1", "time": 50.0, "workload": SHOP, "kind": "image", "trust": "local"}]),
        "/triage": (200, {"finding": "f1", "decision": "accept"}),
    }
    return classifier


LISTS = [["finding", "list"], ["workload", "list"], ["deploy", "list"], ["envelope", "show", SHOP]]


@pytest.mark.parametrize("arguments", [*LISTS, ["finding", "show", "f1"], ["workload", "show", HOSTILE]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_unprintable_is_printed(full, driftline, arguments, form):
    result = driftline(*arguments, *form)
    assert result.exit_code == 0, result.stderr
    assert all(line.isprintable() for line in result.stdout.split("\n"))
    assert not form or json.loads(result.stdout)


@pytest.mark.parametrize("arguments", LISTS)
def test_csv_has_a_header_and_as_many_cells_in_every_row(full, driftline, arguments):
    rows = list(csv.reader(io.StringIO(driftline(*arguments, "--csv").stdout)))
    assert len(rows) == 2 and len(rows[0]) == len(rows[1])


def test_markup_in_a_name_is_shown_as_it_is(full, driftline):
    assert "unit:\\x1b[2J[bold red]x\\u202e.service" in driftline("finding", "list").stdout


def test_a_finding_shows_signals_deploy_deviations_and_evidence(full, driftline):
    shown = driftline("finding", "show", "f1").stdout
    for words in (
        "f1  risky_drift  high",
        "deploy correlation  fails",
        "-3.20  no deploy event within 24 h",
        "resource bounds     cannot be told",
        "none: none was announced",
        "egress:tcp:203.0.113.9:443",
        "n1/e1/7  1970-01-01 00:01:41Z exec exec:/usr/bin/curl<sh argv=a\\x1bb",
        "n1/e1/8",
    ):
        assert words in shown


def test_labels_and_workloads_narrow_a_list(full, driftline):
    assert json.loads(driftline("finding", "list", "--label", "needs_review", "--json").stdout) == []
    assert full.asked[0][1] == "/findings?label=needs_review"


@pytest.mark.parametrize("arguments", [["show", "3f9a"], ["triage", "3f9a", "dismiss"]])
def test_a_finding_is_found_by_the_beginning_of_its_id(arguments, classifier, driftline):
    """The help named a finding by six characters and ids have sixteen: nothing was found (#2)."""
    classifier.answers = {
        "/findings": (200, [FINDING | {"id": "3f9a1c0000000001"}]),
        "/findings/3f9a1c0000000001": (200, FINDING | {"id": "3f9a1c0000000001", "evidence": []}),
    }
    driftline("finding", *arguments)
    assert [path for _, path, body in classifier.asked if "3f9a1c0000000001" in f"{path} {body}"]


def test_a_beginning_that_several_ids_have_is_refused(classifier, driftline):
    classifier.answers = {"/findings": (200, [FINDING | {"id": "3f9a1"}, FINDING | {"id": "3f9a2"}])}
    result = driftline("finding", "show", "3f9a")
    assert result.exit_code == 1 and result.stderr.startswith("Error: 2 findings begin with 3f9a\nHint: ")


@pytest.mark.parametrize("noun", ["finding", "workload"])
def test_a_list_says_that_a_part_of_the_classifier_does_not_work(noun, full, driftline):
    """With a full disk the lists stood still and nothing said so but the log (#2)."""
    full.answers["/health"] = (200, {"state": "degraded", "troubles": {"store": "disk full\x1b[2J"}})
    result = driftline(noun, "list", "--json")
    assert "Note: the classifier's store does not work now: disk full\\x1b[2J" in result.stderr
    assert (result.exit_code, isinstance(json.loads(result.stdout), list)) == (0, True)


def test_a_triage_says_who_decided_and_why(full, driftline):
    result = driftline("finding", "triage", "f1", "accept", "--note", "known", "--actor", "ann")
    assert (result.exit_code, result.stdout) == (0, "f1: accept\n")
    assert full.asked[-1] == (
        "POST",
        "/triage",
        {"finding": "f1", "decision": "accept", "note": "known", "actor": "ann"},
    )


def test_a_mark_carries_workload_kind_revision_and_scope(full, driftline):
    full.answers["/deploys"] = (200, {"id": "d9", "trust": "local"})
    result = driftline(
        "deploy", "mark", SHOP, "--kind", "model", "--revision", "r2", "--scope", "egress:*", "--id", "d9"
    )
    assert result.stdout == f"d9: model of {SHOP} marked, trust local\n"
    body = full.asked[-1][2]
    assert (body["id"], body["kind"], body["revision"], body["scope"]) == ("d9", "model", "r2", ["egress:*"])
    assert body["time"] > 1.6e9


def test_an_envelope_is_compared_with_a_saved_one(full, driftline, tmp_path):
    saved = tmp_path / "old.json"
    old = ENVELOPE | {"behaviours": [{"behaviour": "exec:/bin/sh<cron", "state": "admitted"}]}
    saved.write_text(json.dumps(old))
    rows = json.loads(driftline("envelope", "diff", saved, SHOP, "--json").stdout)
    assert [(r["change"], r["behaviour"]) for r in rows] == [
        ("added", "egress:tcp:a.example.org:443"),
        ("removed", "exec:/bin/sh<cron"),
    ]
    assert driftline("envelope", "diff", SHOP, SHOP).stderr == "no difference\n"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"behaviours": 5}', "[" * 100_000])
def test_a_file_that_is_no_envelope_is_refused_with_a_remedy(full, driftline, tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    result = driftline("envelope", "diff", tmp_path / "x.json", SHOP)
    assert result.exit_code == 1
    assert "not an envelope" in result.stderr and "Hint: " in result.stderr


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            (404, {"error": "no finding f1", "hint": "list them"}),
            "Error: no finding f1\nHint: list them\n",
            id="refused",
        ),
        pytest.param((500, {}), "refused (500)", id="failed"),
        pytest.param((200, b"<html>"), "something else than JSON", id="no-json"),
    ],
)
def test_a_refusal_is_1_with_what_the_classifier_said(classifier, driftline, answer, message):
    classifier.answers["/findings/f1"] = answer
    result = driftline("finding", "show", "f1")
    assert result.exit_code == 1 and message in result.stderr


def test_an_answer_of_another_version_is_said(classifier, driftline):
    classifier.answers["/workloads"] = (200, {"something": 1})
    assert "holds no list of workloads" in driftline("workload", "list").stderr


def test_json_and_csv_exclude_each_other(full, driftline):
    assert driftline("finding", "list", "--json", "--csv").exit_code == 2


def test_a_terminal_gets_colour_unless_it_does_not_want_it(full, driftline, monkeypatch):
    from console.cli import output

    written = []
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(output.click, "echo", written.append)
    monkeypatch.delenv("NO_COLOR", raising=False)
    output.say("x", style="red")
    monkeypatch.setenv("NO_COLOR", "1")
    output.say("x", style="red")
    assert written == ["\x1b[31mx\x1b[0m", "x"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("report", "drift"), id="report"),
        pytest.param(("finding", "list"), id="findings"),
        pytest.param(("workload", "list"), id="workloads"),
        pytest.param(("class", "list"), id="classes"),
    ],
)
def test_a_damaged_trace_can_be_asked_for_what_is_whole(driftline, tmp_path, command):
    """The hint said `rerun with --salvage` where no such option was."""
    damaged = tmp_path / "cut.trace"
    damaged.write_bytes((Path(__file__).parents[1] / "golden" / "theft-without-a-deploy.trace").read_bytes()[:-300])
    refused = driftline(*command, "--trace", damaged)
    assert refused.exit_code == 1 and "--salvage" in str(refused.exception)
    read = driftline(*command, "--trace", damaged, "--salvage")
    assert read.exit_code == 0, read.exception
    assert "cut.trace: block" in read.stderr


def test_what_belongs_to_a_trace_is_refused_without_one(driftline):
    for option in (("--policy", "demo"), ("--time-scale", "2"), ("--salvage",)):
        for command in (("report", "drift"), ("finding", "list")):
            done = driftline(*command, *option)
            assert done.exit_code == 2 and "belong to --trace" in done.stderr
