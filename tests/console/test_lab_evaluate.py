"""`driftline lab evaluate`: the table, the JSON and the picture of a small fleet; a recorded set; what it refuses."""

from __future__ import annotations

import csv
import io
import json

import pytest

from console.cli import output

SMALL = ("lab", "evaluate", "--seeds", 1, "--deployments", 2, "--days", 7, "--workers", 1)


def test_the_table_has_every_family_and_says_which_the_fit_never_saw(driftline, tmp_path):
    picture = tmp_path / "label.png"
    done = driftline(*SMALL, "--plot", picture)
    assert done.exit_code == 0, done.stderr
    assert "risky recall" in done.stdout and "mining *" in done.stdout and "tampered-dependency" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_has_the_figures_with_their_intervals(driftline):
    found = json.loads(driftline(*SMALL, "--json").stdout)
    assert found["deployment_months"] == pytest.approx(2 * 7 / 30, abs=0.1)
    assert {"value", "low", "high", "n"} == found["overall"]["risky recall"].keys()
    assert found["by_family"][-1]["family"] == "all" and found["ablation"][0]["what"] == "all signals"


def test_csv_has_one_row_a_figure(driftline):
    rows = list(csv.DictReader(io.StringIO(driftline(*SMALL, "--csv").stdout)))
    assert {r["table"] for r in rows} == {"overall", "by_family", "by_type"}
    assert {"row": "all", "figure": "risky recall"}.items() <= rows[0].items() and float(rows[0]["high"]) <= 1


def test_headings_are_bold_on_a_terminal(driftline, monkeypatch):
    """A style of one word was taken for a colour, and the whole evaluation was lost at its end."""
    monkeypatch.setattr(output, "_terminal", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    done = driftline(*SMALL, color=True)
    assert done.exit_code == 0, done.exception
    assert "\x1b[1m" in done.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(("--families", "nonsense"), "no such attack family: nonsense", id="family"),
        pytest.param(("--stealth", "3"), "stealth levels are 0, 1 and 2", id="stealth"),
        pytest.param(("--data", "/nowhere"), "does not exist", id="data"),
        pytest.param(("--data", "/", "--seeds", 3), "a recorded set has no --seeds", id="seeds-of-data"),
        pytest.param(("--data", "/", "--plot", "a.png"), "a recorded set has no --plot", id="plot-of-data"),
        pytest.param(("--learn", "/"), "--learn belongs to --data", id="learn-without-data"),
        pytest.param(("--plot", "a.foo"), "neither .png nor .svg", id="kind-of-picture"),
        pytest.param(("--plot", "/nowhere/a.png"), "no folder /nowhere", id="folder-of-picture"),
        pytest.param(("--json", "--csv"), "exclude each other", id="json-and-csv"),
    ],
)
def test_what_makes_no_sense_is_refused(driftline, args, words):
    done = driftline("lab", "evaluate", *args)
    assert done.exit_code == 2 and words in done.stderr


def test_a_folder_without_a_known_set_is_refused_with_a_remedy(driftline, tmp_path):
    done = driftline("lab", "evaluate", "--data", tmp_path)
    assert done.exit_code == 1 and "holds no set" in str(done.exception)
