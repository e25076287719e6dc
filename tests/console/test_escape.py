"""No name reaches a terminal or a spreadsheet as a command."""

import pytest

from console.cli.escape import cell, escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("naïve 漢字", "naïve 漢字", id="letters-stay"),
        pytest.param("a\x1b[2J", "a\\x1b[2J", id="terminal-code"),
        pytest.param("a\r\nb", "a\\x0d\\x0ab", id="lines"),
        pytest.param("\u202eevil", "\\u202eevil", id="direction"),
        pytest.param("\x9b31m", "\\x9b31m", id="c1"),
        pytest.param("\udcff", "\\udcff", id="lone-surrogate"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag-letter"),
        pytest.param("[bold red]x[/]", "[bold red]x[/]", id="markup-is-text"),
        pytest.param("", "", id="empty"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, shown):
    assert escape(text) == shown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x"])
def test_a_formula_in_a_csv_cell_is_quoted(text):
    assert cell(text) == "'" + text


def test_numbers_and_nothing_stay_in_a_csv_cell():
    assert (cell(-1), cell(None)) == ("-1", "")
