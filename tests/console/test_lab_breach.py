"""`driftline lab breach`: a table, JSON with the same, and traces that a replay judges alike."""

from __future__ import annotations

import json

import pytest

from classifier.drift.finding import finding_to_dict
from classifier.lab.breach.expected import TABLE
from classifier.links.road import of_list, road
from console.cli.lab_breach import VARIANTS, trigger
from guard.audit.account import account
from tests.guard.audit.trail import deviation, finding
from tests.links.factories import Story

QUICK = ("lab", "breach", "--variant", "fx1", "--seeds", 1, "--no-words", "--workers", 1)


def test_the_command_knows_every_variant():
    assert tuple(TABLE) == VARIANTS


def test_the_table_holds_what_was_expected_against_what_was_said(driftline):
    done = driftline(*QUICK)
    assert done.exit_code == 0 and "risky_drift" in done.stdout and "1/1" in done.stdout
    assert "not captured" in done.stdout


def test_a_trace_gives_the_same_label_again(driftline, tmp_path):
    done = driftline(*QUICK, "--json", "-o", tmp_path / "traces")
    told = json.loads(done.stdout)
    assert told["variants"][0]["got"] == {"risky_drift": 1} and told["outcomes"][0]["right"]
    trace = tmp_path / "traces" / "fx1-1.trace"
    found = json.loads(driftline("finding", "list", "--trace", trace, "--json").stdout)
    assert [f["label"] for f in found].count("risky_drift") == 1


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_judged(driftline, tmp_path):
    (tmp_path / "file").write_text("")
    done = driftline(*QUICK, "-o", tmp_path / "file" / "below")
    assert done.exit_code == 1 and "cannot make the folder" in done.stderr


@pytest.mark.parametrize("wrong", [("--variant", "fx9"), ("--seeds", "0")], ids=" ".join)
def test_what_cannot_be_played_is_refused(driftline, wrong):
    assert driftline("lab", "breach", *wrong).exit_code == 2


def test_the_ticket_is_the_one_of_the_audit_row_and_not_the_one_that_opened_the_connection():
    """The evidence was an event of ten minutes before, and its ticket was named as captured."""
    told = Story()
    before = told.llm(400.0, user="Ticket ZD-1", answer="a")
    told.tool(before, "put_object", {"url": "https://bucket.example.org/x"}, id_="c1")
    opened = told.egress(402.0, "bucket.example.org")
    theft = told.llm(1000.0, user="Ticket ZD-2", answer="b")
    told.tool(theft, "put_object", {"url": "https://bucket.example.org/y"}, id_="c2")
    grown = deviation(opened.behaviour, first=1002.0, last=1010.0)
    found = finding(deviations=(grown,), evidence=(opened.id,))
    assert trigger(found, told.events) == ("inferred", "Ticket ZD-2")
    whole = finding_to_dict(found)
    row, _ = account(whole, *road(whole, *of_list(told.events)), situation={}, responses=(), probes={}, rungs={})
    assert (row["trigger"]["state"], row["trigger"]["excerpt"]) == ("inferred", "Ticket ZD-2")
