"""Opened files to events of those that are new to a replica, and their counters to uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from sensor.observe import classes, facts, names
from sensor.observe.memory import Memory
from sensor.observe.processes import Processes
from sensor.observe.replicas import Observed
from sensor.observe.rows import Row, Rows, grown
from sensor.observe.seats import Seats
from sensor.observe.told import Told
from sensor.probes import abi
from wire.records import Behaviour, Event


class Files:
    """Files of all replicas.

    Args:
        on_open: Told of every file that is new to a replica, with its path and the process.
    """

    def __init__(
        self, seats: Seats, processes: Processes, memory: Memory, on_open: Callable[[Observed, str, int], None]
    ) -> None:
        self._seats, self._processes, self._on_open = seats, processes, on_open
        self.rows = Rows("file", memory)

    def take(self, row: np.void) -> Iterator[Event]:
        """A record of a row that is new."""
        o = self._seats.of(row)
        if o is None:
            return
        path = facts.path(row)
        self._on_open(o, path, int(row["pid"]))
        behaviour = classes.file_behaviour(path, bool(int(row["flags"]) & abi.IS_WRITE))
        data = self._processes.actor(row) | {"path": names.escaped(path)}
        event = self._seats.event(o, row, _kind_of(behaviour), behaviour, data)
        keep = {k: data[k] for k in ("lineage", "path") if data.get(k)}
        shown = o.is_new(behaviour) and (o.may_show("open") or event.kind == "identity")
        model = "" if behaviour.startswith("write:") else classes.model_file(path)
        other = bool(model) and o.is_new(Behaviour(model)) and not shown and o.may_show("model")
        self.rows.keep(int(row["a"]), Row(o.slot, o.generation, behaviour, event.id if shown or other else "", keep))
        if shown:
            yield event
        elif other:  # no new behaviour, but another model: llama-7 and llama-8 have one template
            yield replace(event, behaviour=None)

    def use(self, table: np.ndarray, told: Told, now: int) -> None:
        """Puts what the counters grew into the windows that end now (ns of CLOCK_BOOTTIME)."""
        for number, count in zip(*(part.tolist() for part in told.files(now)), strict=True):
            row = table[number]
            o = self._seats.holder(int(row["slot"]), int(row["generation"]))
            if o is None:
                continue
            known = self.rows.get(number, o)
            if known is None:
                o.loss["names of files"] += 1  # its record was lost: it was used, but nobody can say what it is
                continue
            grown(o, known.behaviour, known, count=count, first=self._seats.time(int(row["first"])))

    def opened(self) -> Iterator[tuple[Observed, str]]:
        """Every file that is remembered, with the replica that opened it."""
        for row in self.rows:
            o = self._seats.holder(row.slot, row.generation)
            if o is not None:
                yield o, str(row.data.get("path", ""))


def _kind_of(behaviour: Behaviour) -> str:
    return "identity" if behaviour.startswith("identity:") else "open"
