"""`report drift`: every change of some days with its cause, from the running classifier or a trace, in five forms."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict

import pytest

from tests.console.report import fifteen, hostile
from tests.fixtures import fx5

NAME = fx5.WORKLOAD
UNTIL = "2026-02-18"


@pytest.fixture
def answered(classifier):
    classifier.answers = {
        "/workloads": (200, [{"workload": NAME}, {"workload": "prod/agents/Deployment/billing/agent"}]),
        "/findings": (200, [fifteen.answer(n, c) for n, c in enumerate(fx5.CHANGES)]),
        "/deploys": (200, [asdict(d) for d in fx5.deploys()]),
        "/envelopes/" + NAME.replace("/", "%2F"): (200, fifteen.envelope()),
    }
    return classifier


def test_all_workloads_are_reported_where_none_is_named(answered, driftline):
    shown = driftline("report", "drift", "--until", UNTIL).stdout
    assert "15 changes = 6 expected evolution + 5 risky drift + 4 needs review" in shown
    assert f"Workload {NAME}\n" in shown and "Workload prod/agents/Deployment/billing/agent\n" in shown


@pytest.mark.parametrize("name", [NAME, "prod/agents/Deployment/support-agent"], ids=["container", "deployment"])
def test_one_workload_is_reported_by_its_name(answered, driftline, name):
    told = json.loads(driftline("report", "drift", name, "--until", UNTIL, "--json").stdout)
    assert [p["workload"] for p in told["parts"]] == [NAME] and told["counts"]["changes"] == 15


def test_an_unknown_workload_is_refused_with_those_that_are_near(answered, driftline):
    result = driftline("report", "drift", "prod/agents/Deployment/suport-agent/agent")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no workload prod/agents/Deployment/suport-agent/agent was seen\nHint: did")
    assert NAME in result.stderr


def test_csv_has_a_row_a_change(answered, driftline):
    rows = list(csv.DictReader(io.StringIO(driftline("report", "drift", "--until", UNTIL, "--csv").stdout)))
    assert Counter(r["label"] for r in rows) == {"expected_evolution": 6, "risky_drift": 5, "needs_review": 4}
    assert {r["event"] for r in rows if r["event"]} == {d.id for d in fx5.deploys()}


def test_files_are_written_whole_and_said_on_stderr(answered, driftline, tmp_path):
    page, text = tmp_path / "d.html", tmp_path / "d.md"
    result = driftline("report", "drift", "--until", UNTIL, "--html", page, "--markdown", text)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"Note: {page}: 15 changes" in result.stderr
    assert page.read_text().startswith("<!doctype html>") and text.read_text().startswith("# Drift report")
    assert sorted(p.name for p in tmp_path.glob("*d.*")) == ["d.html", "d.md"]


def test_the_span_is_what_was_asked_for(answered, driftline):
    """Two of the changes lie in the last seven days; the drip began before, and is still open."""
    told = json.loads(driftline("report", "drift", NAME, "--until", "2026-02-18T00:00", "--days", "7", "--json").stdout)
    (part,) = told["parts"]
    assert told["counts"]["changes"] == len(part["risky"] + part["evolution"] + part["review"])
    assert told["span"] == {"days": 7.0, "since": fx5.END - 7 * fx5.DAY, "until": fx5.END}
    assert part["earlier"] and all(r["opened"] < told["span"]["since"] for r in part["earlier"])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--until", "yesterday"], id="no-time"),
        pytest.param(["--days", "0"], id="no-days"),
        pytest.param(["--days", "nan"], id="nan"),
        pytest.param(["--json", "--csv"], id="two-forms"),
        pytest.param(["--policy", "demo"], id="policy-without-trace"),
        pytest.param(["--html", "/dev/null"], id="device"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(answered, driftline, arguments):
    result = driftline("report", "drift", *arguments)
    assert (result.exit_code == 2 and result.stderr.startswith("Usage: ")) or "Error" in result.stderr


def test_a_folder_that_is_not_there_is_a_failure_in_words(answered, driftline, tmp_path):
    result = driftline("report", "drift", "--until", UNTIL, "--html", tmp_path / "no" / "x.html")
    assert result.exit_code != 0 and not isinstance(result.exception, AssertionError)


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_hostile_names_reach_no_terminal(classifier, driftline, form):
    name = hostile.NAME.replace("\ud800", "")
    finding = fifteen.answer(0, fx5.CHANGES[0]) | {"title": name, "workload": NAME, "deploy": name, "id": name}
    classifier.answers = {
        "/workloads": (200, [{"workload": NAME}]), "/findings": (200, [finding]),
        "/deploys": (200, [{"id": name, "workload": NAME, "time": fx5.LEARNED + 5, "actor": name}]),
    }  # fmt: skip
    result = driftline("report", "drift", "--until", UNTIL, *form)
    assert result.exit_code == 0, result.stderr
    assert all(line.isprintable() for line in result.stdout.split("\n"))


@pytest.fixture(scope="module")
def of_trace():
    from click.testing import CliRunner

    from console.cli.main import root

    def run(*arguments):
        return CliRunner().invoke(root, ["report", "drift", "--trace", str(fx5.TRACE), *arguments])

    return run


def test_a_trace_is_reported_up_to_its_end_and_the_sums_add_up(of_trace):
    """D098: nothing hidden, whatever the labels are."""
    told = json.loads(of_trace("--json").stdout)
    assert told["span"]["until"] == fx5.END and told["source"] == "trace fx5.trace"
    counts = told["counts"]
    assert counts["changes"] == counts["evolution"] + counts["risky"] + counts["review"]
    assert sum(counts[k] for k in ("evolution", "risky", "review")) == sum(
        len(p[k]) for p in told["parts"] for k in ("evolution", "risky", "review")
    )
    (part,) = told["parts"]
    assert part["coverage"]["gaps"] == [["n2", fx5.at(41, 3, 10), fx5.at(41, 3, 30)]]


def test_a_trace_is_reported_as_of_a_moment(of_trace):
    told = json.loads(of_trace("--json", "--until", str(fx5.at(18)), "--days", "4").stdout)
    assert all(r["opened"] < fx5.at(18) for p in told["parts"] for r in p["evolution"] + p["risky"] + p["review"])
    assert [r["event"] for r in told["parts"][0]["evolution"]] == ["ml-m2"]


def test_the_thirty_days_of_fx5_are_six_five_and_four(of_trace):
    """D098, D099, D139."""
    told = json.loads(of_trace("--json").stdout)
    counts = told["counts"]
    assert (counts["changes"], counts["evolution"], counts["risky"], counts["review"]) == (15, 6, 5, 4)
    (part,) = told["parts"]
    assert {r["event"] for r in part["evolution"]} == {d.id for d in fx5.deploys()}
    assert all(r["cause"].startswith("no matching event within") for r in part["risky"])
