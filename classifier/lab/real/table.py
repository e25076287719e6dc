"""What an evaluation says: rows of figures with their intervals, what was to be reached, and how it was measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OURS, BASELINE, PUBLISHED = "ours", "baseline", "published"


class DataError(ValueError):
    """A data set that cannot be evaluated: where, what, and what to do."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its 95 % bootstrap interval; None where nothing could be drawn."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        digits = 4 if 0 < self.value < 0.02 else 3
        words = [f"{v:.{digits}f}" for v in (self.value, self.low, self.high) if v is not None]
        return words[0] if len(words) < 3 else f"{words[0]} [{words[1]}, {words[2]}]"


@dataclass(frozen=True, slots=True)
class Row:
    """One method."""

    method: str
    kind: str  # OURS, BASELINE or PUBLISHED
    figures: dict[str, Figure | float | str | None]  # heading → figure; None: does not exist for this method
    families: dict[str, float]  # attack family → detection


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure to reach, and whether we did."""

    what: str
    aim: str
    ours: str
    reached: bool
    why: str = ""  # not reached, or reached with a reservation


@dataclass(frozen=True, slots=True)
class Table:
    """The methods on one part of a set."""

    title: str
    protocol: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    family_figure: str = ""  # what `Row.families` holds
    aims: tuple[Aim, ...] = ()
    notes: tuple[str, ...] = ()

    def best(self, column: str, kind: str = BASELINE) -> Row:
        """The row of a kind with the highest value in a column."""
        return max((r for r in self.rows if r.kind == kind), key=lambda r: number(r.figures.get(column)))


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one set."""

    set: str
    tables: tuple[Table, ...]
    keeps: str  # what the kernel and the classifier keep for our rows
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def number(value: Figure | float | str | None) -> float:
    """A figure as a number that sorts; what does not exist sorts last."""
    if isinstance(value, Figure):
        return value.value
    return float(value) if isinstance(value, int | float) else float("-inf")


def reach(table: Table, column: str, method: str, *, aim: float | None = None, source: str = "", why: str = "") -> Aim:
    """Compare one named method of ours with the best baseline in a column or a figure from elsewhere.

    Args:
        aim: the figure to reach; by default the best baseline's of this table.
        source: where `aim` is from.
        why: what to say if it is not reached.
    """
    ours = next(r for r in table.rows if r.method == method)
    if aim is None:
        other = table.best(column)
        aim, source = number(other.figures[column]), other.method
    mine = number(ours.figures[column])
    reached = mine >= aim - 5e-4
    best = table.best(column, OURS)
    if not reached and number(best.figures[column]) >= aim - 5e-4:
        why = f"{best.method} alone does, with {number(best.figures[column]):.3f}" + (f"; {why}" if why else "")
    return Aim(column, f"{aim:.3f} ({source})", f"{mine:.3f} ({method})", reached, "" if reached else why)
