"""A report as Markdown: tables keep their columns, and no name becomes markup, a link or a picture."""

from __future__ import annotations

import re

import pytest

from console.report.markdown import CLIP, clipped, markdown, safe
from tests.console.report import fifteen, hostile


def test_the_page_has_the_sums_and_a_row_a_change():
    text = markdown(fifteen.report())
    assert "**15 changes = 6 expected evolution + 5 risky drift + 4 needs review" in text
    assert len([line for line in text.splitlines() if line.startswith("| 2026-")]) == 15
    assert "### Risky drift: 5" in text and "- 2026-01-27 00:00:00Z: fake, model by ml-platform" in text


@pytest.mark.parametrize("name", hostile.ALL)
def test_no_name_becomes_markup(name):
    said = safe(name)
    assert said.isprintable() and len(said) <= 7 * CLIP + 40
    assert not re.search(r"[<>|`*_\[\]\\!]|https?://|www\.", said)


def test_tables_of_a_hostile_report_keep_their_columns():
    text = markdown(hostile.report())
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows and {line.count("|") for line in rows} == {7}
    assert all(line.isprintable() for line in text.splitlines())
    assert "<" not in text and "](" not in text and "://" not in text


def test_a_long_name_says_how_much_of_it_is_missing():
    assert clipped("a" * 4096, 10) == "a" * 10 + "… (4096 characters)"
