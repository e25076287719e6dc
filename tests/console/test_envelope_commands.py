"""`driftline envelope converge`: the table, the CSV, the picture that it makes again."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from console.cli.envelope_chart import draw
from console.cli.envelope_converge import COLUMNS, from_csv, last_days, spread_ratio, to_csv
from tests.classifier.story import days, learned
from tests.console.conftest import HOSTILE
from tests.factories import SHOP
from wire.trace import Writer


@pytest.fixture
def learnt(tmp_path):
    path = tmp_path / "learnt.trace"
    with Writer(path) as writer:
        for record in [*learned(1, 2, until=20), *days(20, 24, 1, 2)]:
            writer.add(record)
    return path


def converge(driftline, trace, *more):
    return driftline("envelope", "converge", SHOP, "--trace", trace, "--time-scale", 86400, *more)


def test_converge_tells_days_and_state(driftline, learnt):
    done = converge(driftline, learnt)
    assert done.exit_code == 0 and "unseen mass" in done.stdout and "converged" in done.stdout
    assert len([line for line in done.stdout.splitlines() if line.startswith("1970-01-")]) == 14


def test_csv_recomputes_the_picture_exactly(driftline, learnt, tmp_path):
    """D039, D137."""
    png, again, table = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.csv"
    assert converge(driftline, learnt, "--days", 28, "--png", png, "--csv", table).exit_code == 0
    assert driftline("envelope", "converge", table, "--png", again).exit_code == 0
    assert png.read_bytes() == again.read_bytes() and png.read_bytes().startswith(b"\x89PNG")


def test_json_holds_the_rows_of_the_csv(driftline, learnt, tmp_path):
    found = json.loads(converge(driftline, learnt, "--json", "--csv", tmp_path / "a.csv").stdout)
    assert from_csv((tmp_path / "a.csv").read_bytes())[2] == found["rows"] and found["spread_ratio"] < 1


def test_answer_of_the_classifier_is_drawn_as_well(driftline, classifier, learnt):
    rows = json.loads(converge(driftline, learnt, "--json").stdout)["rows"]
    classifier.answers[f"/envelopes/{quote(SHOP, safe='')}"] = (
        200,
        {"state": "converged", "because": "calm", "convergence": rows},
    )
    done = driftline("envelope", "converge", SHOP)
    assert done.exit_code == 0 and "converged: calm" in done.stdout


def test_hostile_names_reach_neither_terminal_nor_spreadsheet_nor_formula(driftline, trace):
    assert "\x1b" not in driftline("envelope", "converge", HOSTILE, "--trace", trace).stdout
    assert draw("$\\frac{" + HOSTILE, "$x^{", []).startswith(b"\x89PNG")
    assert b"'=cmd" in to_csv("=cmd", "a\nb", [])


@pytest.mark.parametrize(
    ("column", "value"),
    [("day", "9" * 30), ("day", "-1"), ("known", "9" * 30), ("spread", "nan"), ("mass", "1e400")],
    ids=["late-day", "early-day", "many", "nan", "infinite"],
)
def test_csv_with_numbers_that_no_envelope_has_is_refused(driftline, tmp_path, column, value):
    row = dict.fromkeys(COLUMNS, "1") | {"dimension": "total", "stage": "learning", column: value}
    lines = ("# workload,x,state,y", ",".join(COLUMNS), ",".join(row.values()))
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    done = driftline("envelope", "converge", tmp_path / "x.csv", "--png", tmp_path / "x.png")
    assert done.exit_code == 1 and "not a CSV of this command" in done.stderr


def test_file_that_is_no_csv_of_ours_is_refused(driftline, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    done = driftline("envelope", "converge", tmp_path / "x.csv")
    assert done.exit_code == 1 and "not a CSV of this command" in done.stderr


def test_any_past_days_are_shown():
    """D039: the chart of any fourteen days, not only of the last."""
    rows = [{"day": d, "dimension": "total", "spread": 1.0} for d in range(40)]
    assert [r["day"] for r in last_days(rows, 3, 20)] == [18, 19, 20] and len(last_days(rows, 14)) == 14


def test_nothing_seen_is_said():
    assert last_days([], 14) == [] and spread_ratio([]) is None


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("--by-revision", "r1"),
        ("--by-dimension", "egress"),
        ("--ageing", "literal"),
        ("--sign-off", "nothing of that kind"),
        ("--low-confidence", ""),
    ],
)
def test_parts_of_an_envelope_as_lists(driftline, learnt, part, words):
    done = driftline("envelope", "show", SHOP, "--trace", learnt, "--time-scale", 86400, part)
    assert done.exit_code == 0 and words in done.stdout + done.stderr
    found = driftline("envelope", "show", SHOP, "--trace", learnt, "--time-scale", 86400, part, "--json")
    assert isinstance(json.loads(found.stdout), list)


@pytest.mark.parametrize(("kept", "code"), [("abc", 0), ("other", 1)], ids=["signed", "changed-meanwhile"])
def test_sign_makes_the_digest_the_reference(driftline, classifier, kept, code):
    """D058."""
    answer = {"digest": "abc", "signed": {"digest": kept, "admitted": ["exec:/x<y"]}}
    classifier.answers[f"/envelopes/{quote(SHOP, safe='')}"] = 200, answer
    classifier.answers["/pins"] = 200, {}
    done = driftline("envelope", "sign", SHOP, "--note", "review")
    assert done.exit_code == code and ("signed abc with 1" in done.stdout) is (code == 0)
    posted = next(body for method, path, body in classifier.asked if method == "POST")
    assert (posted["what"], posted["value"], posted["note"]) == ("signed", "abc", "review")
