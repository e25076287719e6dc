"""The page has a table for each section that was measured, the picture's place, and the soak where there was one."""

import pytest

from bench.__main__ import options_of, plan, sizes_of
from bench.page import kept, page
from bench.sections import FULL, QUICK, SECTIONS, USUAL
from tests.bench.beside.samples import results

MACHINE = {"name": "x86_64", "kernel": "6.18", "cpus": 2, "command": "python -m bench"}
ROW = {"what": "memory", "value": 49.456, "unit": "MiB", "asked": "<= 50"}
SPAN = {"value": 1.5, "low": 1.0, "high": 2.0}


def test_every_section_that_was_measured_has_its_table():
    made = {
        "machine": MACHINE,
        "overhead": {"rows": [{"what": "all, inside", "ns": SPAN, "ratio": SPAN}]},
        "operations": {
            "rows": [{"what": "redis", "microseconds": 17, "percent": SPAN, "pairs": 9}],
            "skipped": ["nginx"],
        },
        "beside": results(),
        "residence": {"rows": [ROW], "notes": ["Half an hour after the start."]},
    }
    text = page(made)
    assert "| all, inside   | 1.5 [1.0, 2.0] | 1.50 [1.00, 2.00]  |" in text
    assert "| memory | 49.456   | MiB  | <= 50 |" in text and "Skipped: nginx" in text
    assert "\n\nHalf an hour after the start.\n\n| what" in text
    assert "](side-by-side.svg)" in text
    assert SECTIONS["label"].title not in text


def test_the_soak_is_on_the_page_where_there_was_one():
    soak = {"slopes": {}, "cpu": {"sensor": 0.5}, "checks": [], "wrong": [], "end": {}}
    text = page({"machine": MACHINE}, soak)
    assert "## Soak" in text and "CPU of the sensor" in text
    assert "## Soak" not in page({"machine": MACHINE}, None)


def test_a_text_that_was_measured_goes_before_the_bare_value():
    text = page({"machine": MACHINE, "residence": {"rows": [ROW | {"measured": "49 [48, 50]"}]}})
    assert "49 [48, 50]" in text and "49.456" not in text


def test_results_that_are_not_there_are_none(tmp_path):
    assert kept(tmp_path / "none.json") is None
    (tmp_path / "some.json").write_text("{}")
    assert kept(tmp_path / "some.json") == {}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], USUAL, id="usual"),
        pytest.param(["--quick"], QUICK, id="quick"),
        pytest.param(["--full"], FULL, id="full"),
    ],
)
def test_sizes_are_chosen_by_one_word(words, expected):
    assert sizes_of(options_of(words)) == expected


def test_a_single_size_may_be_told():
    assert sizes_of(options_of(["--quick", "--turns", "11"])).turns == 11


def test_it_says_how_long_it_will_take_and_all_of_it_is_under_25_minutes():
    assert plan(["windows"], USUAL).startswith("about 0 minutes: windows 0.4")
    assert sum(section.seconds(USUAL) for section in SECTIONS.values()) <= 25 * 60
    assert sum(s.seconds(QUICK) for s in SECTIONS.values()) < sum(s.seconds(USUAL) for s in SECTIONS.values()) / 1.5
