"""Long lines on a terminal: folded under their beginning, never wider than it, never with a control code."""

from __future__ import annotations

import pytest

from console.cli import fold


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
@pytest.mark.parametrize("begin", ["", "  name  ", "x" * 60 + " "], ids=["none", "short", "long"])
def test_no_line_is_wider_than_the_terminal(columns, begin):
    lines = fold.folded("one " * 50 + "y" * 300, columns, begin=begin)
    assert all(len(line) <= columns for line in lines)
    assert "y" * 300 in "".join(line.strip() for line in lines)


def test_elsewhere_a_thought_is_one_line():
    assert fold.folded("one " * 100, None, begin="a ") == ["a " + "one " * 100]


def test_control_codes_are_visible_before_lines_are_cut():
    assert fold.folded("a\x1b[2J\nb\u202e", 40) == ["a\\x1b[2J\\x0ab\\u202e"]


def test_a_hanging_indent_leaves_room_for_the_text():
    lines = fold.folded("word " * 30, 36, begin="a long beginning of a line  ")
    assert all(line.startswith(" " * 12) for line in lines[1:])
