"""Who has which slot of the kernel side: records to the replicas they are of, and to events of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sensor.observe import facts
from sensor.observe.memory import Memory
from sensor.observe.replicas import Observed
from sensor.probes.kernel import Kernel
from wire.records import Behaviour, CgroupId, Event, Replica


class Seats:
    """The replicas that are observed.

    Args:
        node, epoch: Go into the ids of events.
        boot: Generation of cgroup ids: differs after a reboot.
        to_time: Nanoseconds of CLOCK_BOOTTIME to seconds since the epoch.
        memory: Keeps what a restart must know.
    """

    def __init__(self, *, node: str, epoch: str, boot: int, to_time: Callable[[int], float], memory: Memory) -> None:
        self._node, self._epoch, self._boot, self._memory = node, epoch, boot, memory
        self.time = to_time
        self.replicas: dict[int, Observed] = {}  # by slot
        self._fresh: list[Observed] = []
        self.late = 0  # records of slots that have passed on
        self._last_id = 0

    def take(self, row: np.void) -> None:
        """A record of a cgroup that has taken a slot."""
        slot, generation, cgroup = int(row["slot"]), int(row["generation"]), int(row["a"])
        if self.holder(slot, generation) is None:  # else `unheard` found it before its record was read
            self.seat(slot, generation, cgroup, facts.path(row), int(row["time"]))

    def seat(self, slot: int, generation: int, cgroup: int, path: str, time: int) -> Observed:
        """A cgroup has taken a slot."""
        self._memory.keep("seat", slot, generation, cgroup, path, time)
        replica = Replica(self._node, CgroupId(cgroup), self._boot)
        made = self.replicas[slot] = Observed(replica, slot, generation, path, self.time(time))
        self._fresh.append(made)
        return made

    def fresh(self) -> list[Observed]:
        """Replicas that took their slots since the last time, and have them still."""
        found, self._fresh = self._fresh, []
        return [o for o in found if self.replicas.get(o.slot) is o]

    def unheard(self, kernel: Kernel, before: int) -> list[tuple[int, int, int, int]]:
        """Slots that were taken before a time (ns, CLOCK_BOOTTIME) and whose record was lost with a full ring.

        Returns:
            Slot, generation, cgroup and when it was taken, as `seat` wants them.
        """
        rows = kernel.slots
        taken = np.flatnonzero((rows["cgroup"] != 0) & (rows["taken"] < before)).tolist()
        missing = [s for s in taken if self.holder(s, int(rows[s]["generation"])) is None]
        return [(s, *(int(rows[s][m]) for m in ("generation", "cgroup", "taken"))) for s in missing]

    def holder(self, slot: int, generation: int) -> Observed | None:
        """Who has a slot; None if it has passed on, or nobody told of it."""
        found = self.replicas.get(slot)
        return found if found is not None and found.generation == generation else None

    def of(self, row: np.void) -> Observed | None:
        """The replica that a record belongs to; None if its slot has passed on meanwhile."""
        found = self.holder(int(row["slot"]), int(row["generation"]))
        if found is None:
            self.late += 1
        return found

    def current(self, kernel: Kernel) -> list[Observed]:
        """Replicas that the kernel side knows still, by slot."""
        generations = kernel.slots["generation"]
        return [o for slot, o in sorted(self.replicas.items()) if int(generations[slot]) == o.generation]

    def event(self, o: Observed, row: np.void, kind: str, behaviour: Behaviour | None, data: dict[str, Any]) -> Event:
        """What a record tells of a replica."""
        self._last_id = max(int(row["time"]), self._last_id + 1)
        found = {k: v for k, v in data.items() if v not in ("", None)}
        id_ = f"{self._node}/{self._epoch}/{self._last_id}"
        return Event(id_, self.time(int(row["time"])), o.replica, kind, behaviour, found)

    def recall(self, kernel: Kernel, slot: int, generation: int, cgroup: int, path: str, time: int) -> None:
        """A seat that an earlier daemon knew, if the cgroup has it still."""
        row = kernel.slots[slot] if slot < len(kernel.slots) else None
        if row is not None and int(row["cgroup"]) == cgroup and int(row["generation"]) == generation:
            self.seat(slot, generation, cgroup, path, max(time, int(row["told"])))

    def kept(self) -> list[list[Any]]:
        """Rows to begin a new memory with. Time 0: the kernel's `told` says from when on."""
        return [["seat", o.slot, o.generation, o.replica.cgroup, o.path, 0] for o in self.replicas.values()]
