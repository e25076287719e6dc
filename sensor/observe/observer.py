"""Kernel rows become events and windows. Takes arrays and times, returns records; reads no clock and opens no file.

One object per sensor. `take` turns a batch from the rings into events at once; `windows` turns the counters of the shared
arrays into one window per replica, by what they grew since they were last told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from sensor.observe import facts
from sensor.observe.execs import Execs
from sensor.observe.files import Files
from sensor.observe.flows import Flows
from sensor.observe.memory import Memory
from sensor.observe.processes import Processes
from sensor.observe.replicas import Observed
from sensor.observe.seats import Seats
from sensor.observe.told import Told
from sensor.probes import abi
from sensor.probes.kernel import Batch, Kernel
from wire.records import Behaviour, Event, Window
from wire.rings import name as ring_name
from wire.syscalls import name as syscall_name

SENSITIVE = frozenset(
    "ptrace mount umount2 bpf setns unshare init_module finit_module delete_module kexec_load pivot_root chroot "
    "process_vm_readv process_vm_writev perf_event_open userfaultfd keyctl add_key memfd_create io_uring_setup "
    "setuid setgid setresuid capset reboot swapon open_by_handle_at move_mount fsopen".split()
)


class Observer:
    """Everything the sensor knows of its replicas.

    Args:
        node, epoch: Go into the ids of events.
        boot: Generation of cgroup ids: differs after a reboot.
        to_time: Nanoseconds of CLOCK_BOOTTIME to seconds since the epoch.
        memory: Keeps what a restart must know.
        redact: Takes what looks like a secret out of command lines.
        on_open: Told of every file that is new to a replica, with its path and the process.
    """

    def __init__(
        self,
        *,
        node: str,
        epoch: str,
        boot: int,
        to_time: Callable[[int], float],
        memory: Memory,
        redact: bool = True,
        on_open: Callable[[Observed, str, int], None] = lambda o, path, pid: None,
    ) -> None:
        self.seats = Seats(node=node, epoch=epoch, boot=boot, to_time=to_time, memory=memory)
        self.replicas = self.seats.replicas  # by slot
        self.processes = Processes()
        self._execs = Execs(self.seats, self.processes, memory, redact=redact)
        self._files = Files(self.seats, self.processes, memory, on_open)
        self._flows = Flows(self.seats, self.processes, memory)

    @property
    def counters(self) -> dict[str, int]:
        """What could not be used, for metrics."""
        return {"undecoded": self._flows.undecoded, "late": self.seats.late}

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, batch: Batch) -> list[Event]:
        """Events of a batch. New replicas are in `replicas` afterwards."""
        out: list[Event] = []
        self.processes.lineage.settle()
        for row in batch.paths[batch.paths["kind"] == abi.SEAT]:
            self.seats.take(row)
        for row in facts.in_order(batch):
            out += self._one(row)
        self._grams(batch.facts)
        return out

    def _one(self, row: np.void) -> Iterator[Event]:
        """One record, while the lineage is what it was when that happened."""
        kind, pid = int(row["kind"]), int(row["pid"])
        if kind == abi.EXEC:
            yield from self._execs.take(row)
        elif kind == abi.FOUND:
            self.processes.found(row)
        elif kind == abi.FORK:
            self.processes.lineage.fork(int(row["b"]), int(row["a"]))
            yield from self._small(row, "fork", {"pid": int(row["a"]), "ppid": int(row["b"])})
        elif kind == abi.EXIT:
            yield from self._small(row, "exit", {"pid": pid} | facts.status(int(row["a"])))
            self.processes.lineage.exit(pid)
        elif kind == abi.OPEN:
            yield from self._files.take(row)
        elif kind in (abi.DNS, abi.HELLO):
            yield from self._flows.payload(row)
        elif kind == abi.SYSCALL:
            yield from self._syscall(row)
        elif kind == abi.RING:
            yield from self._ring(row)
        elif kind == abi.DIAL:
            yield from self._small(row, "dial", facts.ends(row))
        elif kind == abi.FLOW:
            self._flows.begun(row)

    def _small(self, row: np.void, kind: str, data: dict[str, Any]) -> Iterator[Event]:
        o = self.seats.of(row)
        if o is not None and o.may_show(kind):
            yield self.seats.event(o, row, kind, None, data)

    def _grams(self, rows: np.ndarray) -> None:
        grams = rows[rows["kind"] == abi.GRAM]
        for slot in np.unique(grams["slot"]).tolist():
            o = self.replicas.get(slot)
            if o is not None:
                own = grams[(grams["slot"] == slot) & (grams["generation"] == o.generation)]
                o.grams += own["a"].astype(np.int64).tolist()

    def _syscall(self, row: np.void) -> Iterator[Event]:
        name = syscall_name(int(row["a"]))
        o = self.seats.of(row) if name in SENSITIVE else None
        if o is not None:
            behaviour = Behaviour(f"syscall:{name}")
            event = self.seats.event(o, row, "syscall", behaviour, self.processes.actor(row))
            o.tally(behaviour, event.time).note(event.id)
            yield event

    def _ring(self, row: np.void) -> Iterator[Event]:
        """A first request to io_uring; two CPUs may both have had it."""
        o = self.seats.of(row)
        behaviour = Behaviour(f"io_uring:{ring_name(int(row['a']))}")
        if o is not None and o.is_new(behaviour):
            event = self.seats.event(o, row, "io_uring", behaviour, self.processes.actor(row))
            tally = o.tally(behaviour, event.time)
            tally.data = {k: event.data[k] for k in ("lineage", "image") if event.data.get(k)}
            tally.note(event.id)
            yield event

    def flows(self, rows: np.ndarray, table: np.ndarray) -> Iterator[Event]:
        """Events of conversations that are new, from FLOW facts and the rows that they point at."""
        return self._flows.events(rows, table)

    def note(self, o: Observed, event: Event) -> None:
        """A behaviour that was seen elsewhere than in the rings: its window counts it, too."""
        if event.behaviour is not None:
            tally = o.tally(event.behaviour, event.time)
            tally.count += 1
            tally.data = tally.data or {k: event.data[k] for k in ("lineage", "image") if event.data.get(k)}
            tally.note(event.id)

    # -- windows -----------------------------------------------------------------------------------------------------

    def windows(self, kernel: Kernel, told: Told, now: int) -> list[Window]:
        """One window per replica, from what the counters grew since they were last told.

        Args:
            now: ns of CLOCK_BOOTTIME, the end of the windows.
        """
        self._files.use(kernel.files, told, now)
        self._flows.use(kernel.flows, told, now)
        self._execs.round(kernel, now)
        return [self._window(told, o, now) for o in self.seats.current(kernel)]

    def _window(self, told: Told, o: Observed, now: int) -> Window:
        calls, foreign = told.calls(o.slot)
        for reason, lost in told.losses(o.slot, now).items():
            o.loss[reason] += lost
        for number, count in told.ring_ops(o.slot).items():
            o.tally(Behaviour(f"io_uring:{ring_name(number)}"), o.since).count += count
        uses, grams, loss = o.drain()
        start, o.since = o.since, self.seats.time(now)
        return Window(o.replica, start, o.since, uses, calls, grams, foreign, loss)

    # -- replicas that end, and restarts -----------------------------------------------------------------------------

    def forget(self, slot: int) -> None:
        """A slot was given back."""
        self.replicas.pop(slot, None)
        for part in (self._execs, self._files.rows, self._flows):
            part.forget_slot(slot)

    def forget_files(self, rows: list[int]) -> None:
        """Rows of the files table were given back; their numbers will mean something else."""
        self._files.rows.forget(rows)

    def forget_flows(self, rows: list[int]) -> None:
        """The same for the flows table."""
        self._flows.forget(rows)

    def recall(self, rows: Iterable[list[Any]], kernel: Kernel) -> None:
        """Takes up what an earlier daemon of this epoch knew."""
        execs = []
        for kind, *values in rows:
            if kind == "seat":
                self.seats.recall(kernel, *values)
            elif kind == "file":
                self._files.rows.recall(*values)
            elif kind in ("flow", "sni", "dns"):
                self._flows.recall(kind, values)
            elif kind in ("exec", "round"):
                execs.append((kind, values))
        self._execs.recall(execs, kernel)

    def opened(self) -> Iterator[tuple[Observed, str]]:
        """Every file that is remembered, with the replica that opened it."""
        return self._files.opened()

    def kept(self) -> list[list[Any]]:
        """What of the memory is still true, to begin a new one with."""
        return [row for part in (self.seats, self._files.rows, self._flows, self._execs) for row in part.kept()]
