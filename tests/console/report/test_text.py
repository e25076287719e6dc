"""A report on a terminal and as CSV: the sums, a row a change, and nothing that steers a terminal."""

from __future__ import annotations

import pytest

from console.cli import fold
from console.report.text import COLUMNS, coverage_words, lines, show
from tests.console.report import fifteen


def test_sums_rows_and_what_changed_nothing_are_printed(capsys):
    show(fifteen.report())
    shown = capsys.readouterr().out
    for words in (
        "Drift of 30 days, 2026-01-19 00:00:00Z to 2026-02-18 00:00:00Z, from trace fx5.trace\n",
        "15 changes = 6 expected evolution + 5 risky drift + 4 needs review; besides, 1 of normal variance\n",
        "risky drift: 5\n", "needs review: 4\n", "expected evolution: 6\n", "Deploy events that changed nothing: 2\n",
        "event tools-7 (tools change by ci)", "no matching event within 24 h before and 0.5 h after",
        "refused: bad signature", "gap: node n2 was not watched", "reconnaissance: it happens outside this machine",
        "open:data:/tmp/*.json",
    ):  # fmt: skip
        assert words in shown, words


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_gets_paragraphs(columns, monkeypatch, capsys):
    from console.report import text

    monkeypatch.setattr(fold, "width", lambda: columns)
    monkeypatch.setattr(text, "width", lambda: columns)
    show(fifteen.report())
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert "cause" not in out and out.count("no matching event") == 9


def test_csv_rows_have_every_column_and_name_their_kind():
    rows = lines(fifteen.report())
    assert len(rows) == 15 and {r["class"] for r in rows} == {"change"}
    assert all(r.keys() == COLUMNS.keys() for r in rows)
    assert sum(r["event"] is not None for r in rows) == 6


def test_coverage_says_how_much_was_watched():
    (part,) = fifteen.report().parts
    words = list(coverage_words(part.coverage))
    assert words[0].startswith("envelope: partial: ") and any("replica-hours" in w for w in words)
