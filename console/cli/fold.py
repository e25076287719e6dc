"""Long lines folded to the terminal under their own beginning; elsewhere a line stays one line, for grep."""

from __future__ import annotations

import shutil
import sys
import textwrap

from console.cli.escape import escape
from console.cli.output import say

NARROW = 30  # columns; less is not folded any more


def width() -> int | None:
    """Columns of the terminal; None where output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(text: str, columns: int | None, *, begin: str = "", indent: int | None = None) -> list[str]:
    """The text behind `begin`, later lines indented as far as the text began.

    >>> folded("one two three", 30, begin="what  ")
    ['what  one two three']
    >>> folded("one two three four five six seven", 30, begin="what  ")
    ['what  one two three four five', '      six seven']
    """
    begin, text = escape(begin), escape(text)
    if columns is None or columns < NARROW:
        return [begin + text]
    # Beyond a third of the width a hanging indent would leave no room for the text.
    hang = " " * min(len(begin) if indent is None else indent, columns // 3)
    return textwrap.wrap(
        begin + text, columns, subsequent_indent=hang, break_on_hyphens=False, drop_whitespace=True, tabsize=1
    ) or [begin]


def tell(text: str, *, begin: str = "", indent: int | None = None, style: str = "") -> None:
    """Print one thought, folded to the terminal."""
    for line in folded(text, width(), begin=begin, indent=indent):
        say(line, style=style)
