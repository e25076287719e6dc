"""`driftline lab evaluate`: the table, the JSON and the picture of a small fleet; a recorded set; what it refuses."""

from __future__ import annotations

import json

import pytest

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


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(("--families", "nonsense"), "no such attack family: nonsense", id="family"),
        pytest.param(("--stealth", "3"), "stealth levels are 0, 1 and 2", id="stealth"),
        pytest.param(("--data", "/nowhere"), "does not exist", id="data"),
    ],
)
def test_what_makes_no_sense_is_refused(driftline, args, words):
    done = driftline("lab", "evaluate", *args)
    assert done.exit_code == 2 and words in done.stderr


def test_a_folder_without_a_known_set_is_refused_with_a_remedy(driftline, tmp_path):
    done = driftline("lab", "evaluate", "--data", tmp_path)
    assert done.exit_code == 1 and "holds no set" in str(done.exception)
