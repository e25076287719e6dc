"""Rows to a table of Markdown, which no text within can break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(names: Sequence[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """
    >>> list(table(["claim"], [["a | b"]]))
    ['| claim |', '|---|', '| a \\\\| b |']
    """
    yield _row(names)
    yield "|" + "---|" * len(names)
    yield from map(_row, rows)


def _row(cells: Iterable[object]) -> str:
    texts = (str(cell).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(texts)} |"
