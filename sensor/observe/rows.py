"""What rows of the kernel's tables of files and flows stand for, and what of them a window tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sensor.observe.memory import Memory
from sensor.observe.replicas import Observed, Tally
from wire.records import Behaviour


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the files or flows table stands for."""

    slot: int
    generation: int
    behaviour: Behaviour | None  # None: depends on names that may still come (flows)
    event: str  # id of the event that showed it first
    data: dict[str, str | int | float]

    def is_of(self, o: Observed) -> bool:
        """Whether a replica has it still."""
        return (self.slot, self.generation) == (o.slot, o.generation)


class Rows:
    """Rows of one table by number; a restart knows them, too.

    Args:
        kind: Of the memory's rows.
    """

    def __init__(self, kind: str, memory: Memory) -> None:
        self._kind, self._memory = kind, memory
        self._rows: dict[int, Row] = {}

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def get(self, number: int, o: Observed) -> Row | None:
        """A row of a replica; None: its record was lost."""
        found = self._rows.get(number)
        return found if found is not None and found.is_of(o) else None

    def keep(self, number: int, row: Row) -> None:
        self._rows[number] = row
        self._memory.keep(self._kind, number, row.slot, row.generation, row.behaviour, row.event, row.data)

    def recall(self, number: int, *values: Any) -> None:
        """One that an earlier daemon kept."""
        self._rows[number] = Row(*values)

    def of_slot(self, slot: int) -> list[int]:
        """Numbers of the rows of a slot."""
        return [number for number, row in self._rows.items() if row.slot == slot]

    def forget(self, numbers: Iterable[int]) -> None:
        """They were given back; their numbers will mean something else."""
        for number in numbers:
            self._rows.pop(number, None)

    def forget_slot(self, slot: int) -> None:
        """A slot was given back."""
        self.forget(self.of_slot(slot))

    def kept(self) -> list[list[Any]]:
        """Rows to begin a new memory with."""
        return [[self._kind, n, r.slot, r.generation, r.behaviour, r.event, r.data] for n, r in self._rows.items()]


def grown(
    o: Observed,
    behaviour: Behaviour,
    row: Row,
    *,
    count: int,
    first: float,
    extra: dict[str, str | int | float] | None = None,
) -> Tally:
    """Adds to a window what a row grew.

    Args:
        first: Seconds; when the row began.
        extra: Counts are added up; of anything else the last one is told.
    """
    first = max(first, o.since)  # a row is older than the window: of this one it tells what grew in it
    tally = o.tally(behaviour, first, str(row.data.get("lineage", "")))
    tally.count += count
    tally.first = min(tally.first, first)
    for key, value in (extra or {}).items():
        numeric = isinstance(value, int) and isinstance(tally.data.get(key), int)
        tally.data[key] = tally.data[key] + value if numeric else value
    tally.data = dict(row.data) | tally.data
    tally.note(row.event)
    return tally
