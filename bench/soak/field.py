"""Fifty workloads below a scope of our own: replicas that stay, that are rolled out anew, and that live for seconds."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.soak.kernel import accounted, network
from bench.soak.seats import PAUSE, RUN, SEATS, STOP, Page
from bench.soak.spawner import CALIBRATION, DEADLINE, Ended, LoadError, Spawner, compiled
from bench.stage import remove
from sensor.probes import client

WORKLOADS = 50
TWICE = 8  # workloads with two replicas
ROLLED = {  # workload → seconds that a replica of it lives, and whether the next one carries another revision
    **{i: (150.0 + 15 * (i - 20), True) for i in range(20, 26)},
    **{i: (100.0 + 10 * (i - 26), False) for i in range(26, 30)},
    **dict.fromkeys(range(30, 33), (20.0, False)),
}
NAME = "wl{}"


@dataclass
class Place:
    """A seat, and the replica in it."""

    seat: int
    workload: int
    revision: int = 0
    number: int = 0  # replicas that the seat has had
    pid: int = 0  # 0: none lives
    due: float = float("inf")  # monotonic seconds, when it makes room for the next
    leaving: bool = False
    path: Path = Path()


@dataclass
class Totals:
    """What replicas that have ended were accounted, and how many there were."""

    reads: int = 0
    writes: int = 0
    started: int = 0
    ended: int = 0
    trouble: list[str] = field(default_factory=list)


class Field:
    """Everything that the soak observes; gone after `close`.

    Args:
        rolled: As `ROLLED`; empty where every replica stays to the end.
    """

    def __init__(self, folder: Path, rolled: Mapping[int, tuple[float, bool]] = ROLLED) -> None:
        self._random, self._rolled = random.Random(1), rolled
        self.base = client.cgroup_root() / f"driftline-soak-{os.getpid()}"
        self.scope, self._outside = self.base / "scope", self.base / "outside"
        files = folder / "files"
        files.mkdir()
        for name in ("data", "more"):
            (files / name).write_bytes(bytes(4096))
        for seat in range(SEATS):
            (files / f"out{seat}").write_bytes(bytes(256))
        self.page = Page(folder / "page")
        self.totals = Totals()
        twice = [i for i in range(WORKLOADS) if i not in ROLLED][:TWICE]
        self.places = [Place(s, w) for s, w in enumerate([*range(WORKLOADS), *twice])]
        for path in (self.base, self.scope, self._outside):
            path.mkdir()
        try:
            self._spawner = Spawner(compiled(folder), self.page.file, files)
            self.of_exec = self._calibrate()
        except BaseException:
            remove(self.base)
            raise

    @property
    def seats(self) -> list[int]:
        return [p.seat for p in self.places]

    def _calibrate(self) -> Ended:
        """The kernel reads a program's head itself and accounts that as a read of the process: how many times, for this program."""
        self._spawner.start(CALIBRATION, self._outside, what="child")
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            for ended in self._spawner.ended():
                return ended
            time.sleep(0.01)
        raise LoadError("the program that does nothing does not end")

    def start(self) -> None:
        for place in self.places:
            self._start(place)

    def _start(self, place: Place) -> None:
        place.number += 1
        place.path = self.scope / f"{NAME.format(place.workload)}/rev{place.revision}-{place.seat}-{place.number}"
        place.path.mkdir(parents=True)
        self.page.order([place.seat], RUN)
        self.page.rows["rests"][place.seat] = 0
        place.pid, place.leaving = self._spawner.start(place.seat, place.path), False
        self.totals.started += 1
        if place.workload in self._rolled:
            seconds = self._rolled[place.workload][0]
            place.due = time.monotonic() + seconds * self._random.uniform(0.7, 1.3)

    def step(self) -> None:
        """Ends those whose time has come, and starts the next where one has ended."""
        for place in self.places:
            if time.monotonic() >= place.due and not place.leaving:
                place.leaving = True
                self.page.order([place.seat], STOP)
        for place in self._reaped():
            if place.workload in self._rolled:
                place.revision += self._rolled[place.workload][1]
                self._start(place)

    def _reaped(self) -> list[Place]:
        found = []
        for ended in self._spawner.ended():
            place = next(p for p in self.places if p.seat == ended.seat)
            if ended.status or not place.leaving:
                self.totals.trouble.append(
                    f"{place.path.name} ended with {ended.status}, load.c:{self.page.failed().get(place.seat)}"
                )
            self.totals.reads += ended.reads
            self.totals.writes += ended.writes
            self.totals.ended += 1
            place.pid, place.due = 0, float("inf")
            remove(place.path)
            found.append(place)
        return found

    def rest(self) -> None:
        """Nobody does anything but sleep, and nobody is on the way out or in.

        Raises:
            LoadError: Somebody does not come to rest.
        """
        end = time.monotonic() + DEADLINE
        while any(p.leaving for p in self.places) and time.monotonic() < end:
            self.step()
            time.sleep(0.05)
        living = [p.seat for p in self.places if p.pid]
        self.page.order(living, PAUSE)
        while not self.page.resting(living):
            if time.monotonic() > end:
                raise LoadError("the loads do not come to rest")
            time.sleep(0.05)

    def go_on(self) -> None:
        self.page.order([p.seat for p in self.places if p.pid], RUN)

    def kernel(self) -> dict[str, Any]:
        """What the kernel has accounted to all replicas that there ever were; at rest it stands still."""
        living = [accounted(p.pid) for p in self.places if p.pid]
        return {
            "reads": self.totals.reads + sum(x["syscr"] for x in living),
            "writes": self.totals.writes + sum(x["syscw"] for x in living),
            "started": self.totals.started,
            "ended": self.totals.ended,
            "network": network(self._spawner.pid),
        }

    def own(self) -> Counter[str]:
        """What the loads say that they did."""
        return self.page.counts(self.seats)

    def by_workload(self) -> dict[str, dict[str, int]]:
        seats: dict[str, list[int]] = {}
        for place in self.places:
            seats.setdefault(NAME.format(place.workload), []).append(place.seat)
        return {name: dict(self.page.counts(own)) for name, own in seats.items()}

    def end(self) -> None:
        """All replicas end in order, so that nothing of them is told later."""
        living = [p for p in self.places if p.pid]
        for place in living:
            place.leaving = True
            self.page.order([place.seat], STOP)
        end = time.monotonic() + DEADLINE
        while any(p.pid for p in living) and time.monotonic() < end:
            self._reaped()
            time.sleep(0.05)

    def close(self) -> None:
        with contextlib.suppress(LoadError):
            self._spawner.close()
        remove(self.base)
