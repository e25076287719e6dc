"""Cells of a replica that has ended, packed: they are still counted, in sums, days and owners, and hardly ever change.

A cell is some 500 bytes as an object, with its histograms and numbers, and some 70 here. What many replicas have in common
(names, days, owners, hours) is one object for all of them. Nothing is rounded or left out: what wakes is equal to what was
laid to rest, and a snapshot holds the same bytes for both.
"""

from __future__ import annotations

from array import array
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import NamedTuple

from classifier.envelope.cells import Cell, Lane
from classifier.envelope.shared import Shared
from classifier.envelope.state import PLAIN, freeze, thaw

END = array("I").itemsize  # bytes of the place at which a cell ends
NOTHING: frozenset[int] = frozenset()  # one for all: each new one takes 216 bytes


class Common(NamedTuple):
    """What cells of many replicas have in common."""

    days: frozenset[int]
    lineages: frozenset[str]
    week: int
    guarded: bool


class Rested(Mapping[str, Cell]):
    """Behaviour → cell, made anew at each look: to change one, `wake` its lane first."""

    __slots__ = ("_common", "_data", "_places")

    def __init__(self, cells: Mapping[str, Cell], shared: Shared) -> None:
        rows = [_row(c) for c in cells.values()]
        ends = array("I", [0] * len(rows))
        end = len(rows) * END
        for i, row in enumerate(rows):
            ends[i] = end = end + len(row)
        self._places = shared.places(cells)
        self._common = shared.same(tuple(shared.same(_common(c, shared)) for c in cells.values()))
        self._data = b"".join((ends.tobytes(), *rows))

    def awake(self) -> dict[str, Cell]:
        """All cells, of their own again."""
        first = len(self._places) * END
        ends = memoryview(self._data)[:first].cast("I")
        rows = (thaw(self._data[start:end]) for start, end in zip((first, *ends), ends, strict=False))
        return {b: _made(row, common) for b, row, common in zip(self._places, rows, self._common, strict=True)}

    def days(self) -> set[frozenset[int]]:
        """The sets of days on which the behaviours were seen."""
        return {c.days for c in self._common}

    def _cell(self, place: int) -> Cell:
        ends = memoryview(self._data)[: len(self._places) * END].cast("I")
        start = ends[place - 1] if place else len(self._places) * END
        return _made(thaw(self._data[start : ends[place]]), self._common[place])

    def __getitem__(self, behaviour: str) -> Cell:
        return self._cell(self._places[behaviour])

    def __contains__(self, behaviour: object) -> bool:
        return behaviour in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def items(self) -> ItemsView[str, Cell]:
        """All of them, each made once."""
        return self.awake().items()

    def values(self) -> ValuesView[Cell]:
        """All of them, each made once."""
        return self.awake().values()


PLAIN[Rested] = Rested.awake


def rest(lane: Lane, shared: Shared) -> None:
    """Pack the cells of a replica that is not expected to show anything any more."""
    lane.hot, lane.latest, lane.day, lane.today = None, None, None, NOTHING
    if lane.cells and type(lane.cells) is dict:
        lane.cells = Rested(lane.cells, shared)


def wake(lane: Lane) -> None:
    """Let the cells of a lane change again."""
    if isinstance(lane.cells, Rested):
        lane.cells = lane.cells.awake()


def days_of(lane: Lane) -> set[frozenset[int]]:
    """The sets of days on which the behaviours of a replica were seen."""
    return lane.cells.days() if isinstance(lane.cells, Rested) else {c.days for c in lane.cells.values()}


def _common(c: Cell, shared: Shared) -> Common:
    return Common(shared.one(c.days), shared.one(c.lineages), shared.same(c.week), c.guarded)


def _row(c: Cell) -> bytes:
    counted = [c.first, c.last, c.count, c.windows, c.hour, c.out, c.into, c.folded]
    return freeze([*counted, c.limit_out, c.limit_in, c.past_out, c.past_in])


def _made(row: list, common: Common) -> Cell:
    first, last, count, windows, hour, out, into, folded, limit_out, limit_in, past_out, past_in = row
    days, lineages, week, guarded = common
    return Cell(  # in one line, as a day's sweep makes all of them
        first, last, count, windows, hour, days, week, out, into, lineages, folded, limit_out, limit_in, guarded, past_out, past_in
    )  # fmt: skip
