"""The page of counts that loads write and the soak reads: one seat a replica, 256 bytes, as load.c lays it out."""

from __future__ import annotations

import mmap
import os
from collections import Counter
from pathlib import Path

import numpy as np

SEATS = 64
RUN, PAUSE, STOP = range(3)
COUNTS = (
    "rounds reads writes opens ids forks execs reaped reaped_execs connects accepts sent_up sent_down info_up info_down exits"
).split()
SEAT = np.dtype(
    [("order", "<u8"), ("rests", "<u8"), ("failed", "<u8"), *((c, "<u8") for c in COUNTS), ("spare", "<u8", 13)]
)


class Page:
    """Shared with the loads through its file."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self.file, SEATS * SEAT.itemsize)
        self._memory = mmap.mmap(self.file, SEATS * SEAT.itemsize)
        self.rows = np.frombuffer(self._memory, SEAT, SEATS)

    def order(self, seats: list[int], order: int) -> None:
        self.rows["order"][seats] = order

    def resting(self, seats: list[int]) -> bool:
        return bool((self.rows["rests"][seats] == 1).all())

    def failed(self) -> dict[int, int]:
        """Line of load.c by seat."""
        return {int(i): int(self.rows["failed"][i]) for i in np.flatnonzero(self.rows["failed"])}

    def counts(self, seats: list[int]) -> Counter[str]:
        """What all replicas of these seats did since the beginning."""
        return Counter({name: int(self.rows[name][seats].sum()) for name in COUNTS})
