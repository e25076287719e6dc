"""Execs to events and to uses: each is said in one window that is delivered, whenever the daemon that read it is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sensor.observe import facts, names
from sensor.observe.memory import Memory
from sensor.observe.processes import Processes
from sensor.observe.replicas import Observed
from sensor.observe.seats import Seats
from sensor.observe.untold import Exec, Untold
from sensor.probes.kernel import Kernel
from wire.records import Behaviour, Event


class Execs:
    """Execs of all replicas.

    Args:
        redact: Takes what looks like a secret out of command lines.
    """

    def __init__(self, seats: Seats, processes: Processes, memory: Memory, *, redact: bool) -> None:
        self._seats, self._processes, self._redact = seats, processes, redact
        self._untold = Untold(memory)

    def take(self, row: np.void) -> Iterator[Event]:
        """A record; its replica's lineage is what it was when that happened."""
        o = self._seats.of(row)
        if o is None:
            return
        behaviour, data = self._named(row)
        event = self._seats.event(o, row, "exec", behaviour, self._whole(row, data)) if o.may_show("exec") else None
        keep = {k: data[k] for k in ("lineage", "path", "interpreter", "layer") if data.get(k)}
        time, pid, shown = int(row["time"]), int(row["pid"]), event.id if event else ""
        kept = Exec(o.slot, o.generation, time, pid, behaviour, shown, keep)
        if self._untold.keep(kept):
            self._count(o, kept)
        if event:
            yield event

    def _named(self, row: np.void) -> tuple[Behaviour, dict[str, Any]]:
        program, script = facts.executable(row), facts.script(row)
        path, kept = script or program, self._processes.kept_script(row)
        caller = self._processes.run(row, path, script=bool(script), kept=kept)
        data = {
            "path": names.escaped(path),
            "layer": facts.layer(row),
            "lineage": self._processes.lineage.of(int(row["pid"])),
            "interpreter": names.escaped(program) if script else "",
            "script": names.escaped(kept),
        }
        return names.exec_of(path, caller), data

    def _whole(self, row: np.void, named: dict[str, Any]) -> dict[str, Any]:
        """With what only an event shows: in a storm most execs are but counted."""
        return facts.exec_data(row, redact=self._redact) | named

    def _count(self, o: Observed, row: Exec) -> None:
        tally = o.tally(Behaviour(row.behaviour), self._seats.time(row.time))
        tally.count += 1
        tally.data = tally.data or row.data
        tally.note(row.event)

    def round(self, kernel: Kernel, now: int) -> None:
        """The windows that end now (ns of CLOCK_BOOTTIME) say all that was counted."""
        self._untold.round(now, ends_of(kernel))

    def recall(self, rows: list[tuple[str, list[Any]]], kernel: Kernel) -> None:
        """Rows of a memory, "exec" and "round": what was not delivered is said in the next window."""
        told = ends_of(kernel)
        for kind, values in rows:
            self._untold.recall(kind, values, told)
        for row in self._untold.again():
            o = self._seats.holder(row.slot, row.generation)
            if o is not None:
                self._count(o, row)

    def forget_slot(self, slot: int) -> None:
        """A slot was given back."""
        self._untold.forget(slot)

    def kept(self) -> list[list[Any]]:
        """Rows to begin a new memory with."""
        return self._untold.kept()


def ends_of(kernel: Kernel) -> Callable[[int], int]:
    """When the last delivered window of a slot ended, ns."""
    return kernel.slots["told"].tolist().__getitem__
