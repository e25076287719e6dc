"""The program and tables of bpf/stdio.c, held by descriptors: which workloads are read, their chunks, what was lost.

Attached from the first watched workload to the last, so nobody pays for it where no agent runs. Chunks hold what was said: they go
to the decoder and nowhere else.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sensor.probes import handover, stdio_loader
from sensor.probes.maps import Map
from sensor.probes.stdio_hook import Alone, Guest, Hook
from sensor.probes.tls import ChunkRing

DATA, ENDED, LEFT_ALONE = 1, 2, 3  # kinds of chunks
SPOKEN, LEFT = 1, 2  # verdicts
LOSSES = ("ring", "budget", "unreadable", "long", "spliced", "ends")  # bytes, the last in lanes
CHUNK = struct.Struct("<QQQQQQIIIHH")
WORKLOAD = np.dtype(
    [*((n, "<u8") for n in ("budget", "second", "used", "calls", "bytes", "passed")), ("lost", "<u8", (len(LOSSES),))]
)
LANE = struct.Struct("<QQQIIIHBBQ512x")
SEATS = 16384


@dataclass(frozen=True, slots=True)
class StdioSettings:
    """Bounds of the capture."""

    chunk_pages: int = 4096  # of the ring, 4 KiB each; a power of two: 16 MiB
    workloads: int = 1024
    budget: int = 16 << 20  # bytes of one workload at once, a quarter of it a second; a record costs 512 beside its own


class Chunk(NamedTuple):
    """Bytes of one lane as its reader took them, its end, or that it is left alone."""

    time: int  # ns, CLOCK_BOOTTIME
    cgroup: int
    lane: int  # inode number
    born: int  # generation of the lane at this number
    mate: int  # of a socket: the lane of the other direction; 0: a pipe
    offset: int  # absolute; of an end: bytes in all
    reader: int
    writer: int  # 0: not seen yet
    kind: int
    fd: int  # of the reader
    data: bytes


class Lane(NamedTuple):
    """What the kernel knows of a lane now."""

    born: int
    reached: int  # bytes read
    reader: int
    writer: int


class Watched(NamedTuple):
    """What the kernel counted of one workload."""

    calls: int
    bytes: int  # of lanes that are read, copied or not
    passed: int  # bytes of other lanes
    lost: dict[str, int]  # reason → bytes, "ends" → how many


class StdioKernel:
    """Loaded for one scope.

    Args:
        host: Pins with bpf/files.c, whose program at sys_exit then calls this one for the slots of agents. Without it this one is
            attached to the tracepoint itself, which costs every system call of the machine some 100 ns.

    Raises:
        ProbeError: It cannot be loaded here; the text says why and what to do.
    """

    def __init__(self, scope: Path, settings: StdioSettings | None = None, host: Path | None = None) -> None:
        self.settings = s = settings or StdioSettings()
        plan = handover.plan_for(scope, chunk_pages=s.chunk_pages, workloads=s.workloads)
        names = (*stdio_loader.PROGRAMS, *stdio_loader.MAPS)
        fds = handover.descriptors("sensor.probes.stdio_loader", plan, names, "bpf/stdio.c")
        self._hook = _hook(fds[stdio_loader.PROGRAMS[0]], host)
        maps = {n: Map(fds[n], n) for n in stdio_loader.MAPS}
        self._seats, self._workloads = maps["stdio_seats"], maps["stdio_workloads"]
        self._lanes, self._verdicts = maps["stdio_lanes"], maps["stdio_verdicts"]
        self._ring = StdioRing(maps["stdio_chunks"])
        self._seated: Counter[int] = Counter()

    @property
    def wake(self) -> int:
        """Descriptor that is readable when much came; the rest waits for the clock."""
        return self._ring.fd

    @property
    def attached(self) -> bool:
        return self._hook.attached

    def watch(self, cgroup: int, budget: int | None = None) -> bool:
        """Reads a workload from now on; whether there was room. Counters begin at 0, or go on where it is watched."""
        key = struct.pack("<Q", cgroup)
        if self._workloads.get(key) is not None:
            return True
        row = np.zeros((), WORKLOAD)
        row["budget"] = self.settings.budget if budget is None else budget
        if not self._workloads.put(key, row.tobytes(), only_new=True):
            return False
        self._seat(cgroup, 1)
        if not self._hook.add(cgroup):
            self.unwatch(cgroup)
            return False
        return True

    def unwatch(self, cgroup: int) -> None:
        key = struct.pack("<Q", cgroup)
        if self._workloads.get(key) is None:
            return
        self._workloads.drop(key)
        self._seat(cgroup, -1)
        self._hook.drop(cgroup)

    def watched(self, cgroup: int) -> Watched | None:
        """Counters of a workload; None where it is not watched."""
        raw = self._workloads.get(struct.pack("<Q", cgroup))
        if raw is None:
            return None
        row = np.frombuffer(raw, WORKLOAD)[0]
        lost = dict(zip(LOSSES, row["lost"].tolist(), strict=True))
        return Watched(int(row["calls"]), int(row["bytes"]), int(row["passed"]), lost)

    def lane(self, number: int) -> Lane | None:
        """A lane as it stands; None where it has ended, or was not met."""
        raw = self._lanes.get(struct.pack("<Q", number))
        if raw is None:
            return None
        born, offset, _, reader, writer, *_ = LANE.unpack(raw)
        return Lane(born, offset, reader, writer)

    def judge(self, number: int, born: int, verdict: int) -> None:
        """Says that a lane speaks JSON-RPC, or that it is to be left alone; heard at its next read."""
        self._verdicts.put(struct.pack("<Q", number), struct.pack("<QQ", born, verdict))

    def unjudge(self, number: int) -> None:
        """Takes a verdict back that nobody heard."""
        self._verdicts.drop(struct.pack("<Q", number))

    @property
    def blocked(self) -> bool:
        """Whether the last reading ended before the ring did: at a record that is being written, or for its length."""
        return self._ring.blocked

    def chunks(self, most: int | None = None) -> Iterator[Chunk]:
        """What waits in the ring, oldest first; of so many bytes at most."""
        return self._ring.take(most)

    def fill(self) -> float:
        """Share of the ring that waits to be read, 0 to 1."""
        return self._ring.fill()

    def close(self) -> None:
        self._hook.close()
        self._ring.close()
        for table in (self._seats, self._workloads, self._lanes, self._verdicts):
            table.close()

    def _seat(self, cgroup: int, step: int) -> None:
        k = cgroup & (SEATS - 1)
        self._seated[k] += step
        self._seats.put(struct.pack("<I", k), struct.pack("<Q", self._seated[k]))


def _hook(program: int, host: Path | None) -> Hook:
    if host is not None and (host / "exit_more").exists():
        return Guest(program, host)
    return Alone(program)


class StdioRing(ChunkRing):
    """The ring of bpf/stdio.c."""

    def _chunk(self, at: int) -> Chunk:
        row = CHUNK.unpack_from(self._their, at)
        time, cgroup, lane, born, mate, offset, reader, writer, length, kind, fd = row
        data = self._their[at + CHUNK.size : at + CHUNK.size + length]
        return Chunk(time, cgroup, lane, born, mate, offset, reader, writer, kind, fd, data)


__all__ = ["Chunk", "Lane", "StdioKernel", "StdioRing", "StdioSettings", "Watched"]
