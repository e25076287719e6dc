"""Execs that were read from their ring and are in no delivered window, so that a daemon that is killed tells them after all.

Other counts stand in the kernel; an exec is a record that the kernel hands over once. Each is kept in the file of the memory
before its space in the ring is given back, each round of windows is marked behind those that it says, and how far the kernel
side was told (`told`) decides which of them a successor has to say again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sensor.observe.memory import Memory

LARGEST = 65536  # execs of rounds that wait for the classifier; past that a kill loses the oldest


class Exec(NamedTuple):
    """One row of the memory."""

    slot: int
    generation: int
    time: int  # ns, CLOCK_BOOTTIME
    pid: int
    behaviour: str
    event: str  # its id; "" if it was not sent
    data: dict[str, Any]


class Untold:
    """Rows "exec" and "round" of a memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._open: list[Exec] = []  # behind the last round
        self._rounds: list[tuple[int, list[Exec]]] = []  # end (ns) and what it says, not known to be delivered
        self._twice: set[tuple[int, int]] = (
            set()
        )  # time and pid of what a killed daemon may not have given back to the ring

    def keep(self, row: Exec) -> bool:
        """Notes one; False if a killed daemon had noted it already."""
        if (row.time, row.pid) in self._twice:
            return False
        self._open.append(row)
        self._memory.keep("exec", *row)
        return True

    def round(self, end: int, told: Callable[[int], int]) -> None:
        """Windows up to `end` (ns) say all that was kept; `told`: slot → end of its last delivered window."""
        self._twice.clear()
        if self._open:
            self._memory.keep("round", end)
            self._rounds.append((end, self._open))
            self._open = []
        self._rounds = [(e, left) for e, rows in self._rounds if (left := [r for r in rows if told(r.slot) < e])]
        while sum(len(rows) for _, rows in self._rounds) > LARGEST:
            del self._rounds[0]

    def recall(self, kind: str, values: list[Any], told: Callable[[int], int]) -> None:
        """A row that an earlier daemon kept; what its rounds said and delivered is done with."""
        if kind == "exec":
            self._open.append(row := Exec(*values))
            self._twice.add((row.time, row.pid))
        else:
            [end] = values
            self._open = [r for r in self._open if told(r.slot) < end]
            self._twice.clear()  # before a round is made, all rings are read and given back

    def again(self) -> Iterator[Exec]:
        """What was recalled and must be said in the next window."""
        yield from self._open

    def forget(self, slot: int) -> None:
        """A slot was given back: all of it is delivered."""
        self._rounds = [(e, left) for e, rows in self._rounds if (left := [r for r in rows if r.slot != slot])]

    def kept(self) -> list[list[Any]]:
        """Rows to begin a new file of the memory with."""
        rows: list[list[Any]] = []
        for end, execs in self._rounds:
            rows += [*(["exec", *r] for r in execs), ["round", end]]
        return rows + [["exec", *r] for r in self._open]
