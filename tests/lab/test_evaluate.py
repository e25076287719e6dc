"""The rows of the table, from made-up outcomes; their picture."""

from __future__ import annotations

import json

from classifier.drift.posterior import shipped
from classifier.lab.evaluate import Evaluation, by_family, by_type, overall
from classifier.lab.simulate import FAMILIES
from console.cli.lab_plot import draw
from tests.lab.test_score import FACTS, ONE, case, outcome, told

CASES = (case("risky", 0.9), case("benign", 0.0), case("evolution", 0.1, 0.8))
RUN = Evaluation([ONE, outcome(FACTS, (told("risky_drift", "risky", (0,)),), CASES)], shipped(), 1.0)


def test_every_family_has_a_row_and_the_last_is_of_all():
    rows = by_family(RUN.outcomes)
    assert [r["family"] for r in rows] == [*sorted(FAMILIES), "all"]
    assert rows[-1]["recall"].value == 0.5 and rows[-1]["stealth 2"].value == 0.0
    assert {r["family"] for r in rows if r["unseen"]} == {"data-staging", "lateral-movement", "mining", "web-shell"}


def test_figures_that_decide_are_there_and_json_has_no_nan():
    assert overall(RUN.outcomes)["risky recall"].n == 4 and by_type(RUN.outcomes)[0]["type"] == "web"
    assert json.loads(json.dumps(RUN.plain(), allow_nan=False))["deployment_months"] == 2.0


def test_picture_is_drawn_in_the_format_of_its_suffix(tmp_path):
    draw(RUN, tmp_path / "x.svg")
    assert "<svg" in (tmp_path / "x.svg").read_text()
