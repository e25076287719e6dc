"""The programs and tables of bpf/tls.c, held by descriptors: which workloads are read, their chunks, what was lost.

Everything here ends with this object or this process, a kill included. Chunks hold plaintext: they are handed to the decoder
and nowhere else, and no text of this module's errors quotes them.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sensor.probes import client, handover, tls_loader, trial, uprobes
from sensor.probes.maps import PAGE, Map

SENT, RECEIVED = 0, 1
DATA, CLOSED = 1, 2
WHOLE = 1
LOSSES = ("ring", "budget", "unreadable", "long", "calls", "closes")  # bytes, the last two in calls
CHUNK = struct.Struct("<QQQQQQIIIBBH")
WORKLOAD = np.dtype(
    [*((n, "<u8") for n in ("budget", "second", "used", "calls", "bytes")), ("lost", "<u8", (len(LOSSES),))]
)
# Native: one store. With "<" Python writes byte by byte, and a writer may read half of it.
POSITION = struct.Struct("Q")
STREAM = np.dtype([("born", "<u8"), ("offset", "<u8", (2,)), ("flags", "<u8")])
BUSY, DISCARDED, LENGTH = 1 << 31, 1 << 30, (1 << 30) - 1  # of a record's head in a ring
LOT = 256 << 10  # bytes that are decoded before their space is given back


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Bounds of the capture."""

    chunk_pages: int = 8192  # of the ring, 4 KiB each; a power of two: 32 MiB, half a second of the budget
    workloads: int = 1024
    budget: int = 64 << 20  # bytes a second of one workload


class Chunk(NamedTuple):
    """Bytes of one direction of one connection, or its end."""

    time: int  # ns, CLOCK_BOOTTIME
    cgroup: int
    ssl: int
    born: int  # generation of the connection at this address
    offset: int  # absolute; of an end: bytes sent in all
    received: int  # of an end: bytes received in all
    pid: int
    tid: int
    direction: int
    kind: int
    flags: int
    data: bytes


class Watched(NamedTuple):
    """What the kernel counted of one workload."""

    calls: int
    bytes: int  # copied or not
    lost: dict[str, int]  # reason → bytes, "calls" and "closes" → how many


@dataclass(slots=True)
class _Programs:
    """Descriptors, by the name that bpf/tls.c gives them."""

    of: dict[str, int] = field(default_factory=dict)

    def close(self) -> None:
        for fd in self.of.values():
            os.close(fd)
        self.of.clear()


class TlsKernel:
    """Loaded for one scope. Closing it detaches nothing: attachments are their owner's descriptors.

    Raises:
        ProbeError: It cannot be loaded here; the text says why and what to do.
    """

    def __init__(self, scope: Path, settings: TlsSettings | None = None) -> None:
        self.settings = settings or TlsSettings()
        reason = uprobes.missing() or trial.harm()
        if reason:
            raise client.ProbeError(f"TLS capture is not possible here: {reason}")
        plan = handover.plan_for(scope, chunk_pages=self.settings.chunk_pages, workloads=self.settings.workloads)
        names = (*tls_loader.PROGRAMS, *tls_loader.MAPS)
        fds = handover.descriptors("sensor.probes.tls_loader", plan, names, "bpf/tls.c")
        self._programs = _Programs({n: fds[n] for n in tls_loader.PROGRAMS})
        maps = {n: Map(fds[n], n) for n in tls_loader.MAPS}
        self._workloads, self._streams = maps["tls_workloads"], maps["tls_streams"]
        self._ring = ChunkRing(maps["tls_chunks"])

    @property
    def wake(self) -> int:
        """Descriptor that is readable when a large body came; small ones wait for the clock."""
        return self._ring.fd

    def program(self, name: str) -> int:
        return self._programs.of[name]

    def watch(self, cgroup: int, budget: int | None = None) -> bool:
        """Reads a workload from now on; whether there was room. Counters begin at 0, or go on where it is watched."""
        row = np.zeros((), WORKLOAD)
        row["budget"] = self.settings.budget if budget is None else budget
        key = struct.pack("<Q", cgroup)
        return self._workloads.get(key) is not None or self._workloads.put(key, row.tobytes(), only_new=True)

    def unwatch(self, cgroup: int) -> None:
        self._workloads.drop(struct.pack("<Q", cgroup))

    def watched(self, cgroup: int) -> Watched | None:
        """Counters of a workload; None where it is not watched."""
        raw = self._workloads.get(struct.pack("<Q", cgroup))
        if raw is None:
            return None
        row = np.frombuffer(raw, WORKLOAD)[0]
        return Watched(int(row["calls"]), int(row["bytes"]), dict(zip(LOSSES, row["lost"].tolist(), strict=True)))

    def reached(self, pid: int, ssl: int, born: int) -> tuple[int, int] | None:
        """Bytes sent and received so far on a connection; None where it has ended, or another has its address."""
        raw = self._streams.get(struct.pack("<QQ", ssl, pid))
        row = None if raw is None else np.frombuffer(raw, STREAM)[0]
        if row is None or int(row["born"]) != born:
            return None
        return int(row["offset"][SENT]), int(row["offset"][RECEIVED])

    @property
    def blocked(self) -> bool:
        """Whether the last reading ended at a record that its writer had not finished."""
        return self._ring.blocked

    def chunks(self) -> Iterator[Chunk]:
        """What waits in the ring, oldest first."""
        return self._ring.take()

    def fill(self) -> float:
        """Share of the ring that waits to be read, 0 to 1."""
        return self._ring.fill()

    def close(self) -> None:
        self._programs.close()
        self._ring.close()
        self._workloads.close()
        self._streams.close()


class ChunkRing:
    """A BPF ring buffer whose records differ in size. Source: Documentation/bpf/ringbuf.rst."""

    def __init__(self, source: Map) -> None:
        self.fd, self._size, self.blocked = source.fd, source.entries, False
        self._own = mmap.mmap(self.fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        # The kernel maps the data twice in a row, so no record of ours wraps; both count as resident, once they are touched.
        self._their = mmap.mmap(self.fd, PAGE + 2 * self._size, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE)

    def take(self, most: int | None = None) -> Iterator[Chunk]:
        """Complete records, until there are no more or `most` bytes were read; their space is then given back."""
        at, end = self._position(self._own), self._position(self._their)
        last = end if most is None else min(end, at + most)
        given, self.blocked = at, False
        while at < last:
            head = struct.unpack_from("<I", self._their, PAGE + (at & (self._size - 1)))[0]
            if head & BUSY:
                break
            if not head & DISCARDED:
                yield self._chunk(PAGE + (at & (self._size - 1)) + 8)
            at += (8 + (head & LENGTH) + 7) & ~7
            if at - given > LOT:
                self._give_back(at)
                given = at
        self._give_back(at)
        self.blocked = at < end

    def _chunk(self, at: int) -> Chunk:
        time, cgroup, ssl, born, offset, received, pid, tid, length, direction, kind, flags = CHUNK.unpack_from(
            self._their, at
        )
        data = self._their[at + CHUNK.size : at + CHUNK.size + length]
        return Chunk(time, cgroup, ssl, born, offset, received, pid, tid, direction, kind, flags, data)

    def fill(self) -> float:
        return (self._position(self._their) - self._position(self._own)) / self._size

    def _position(self, memory: mmap.mmap) -> int:
        return POSITION.unpack_from(memory, 0)[0]

    def _give_back(self, at: int) -> None:
        POSITION.pack_into(self._own, 0, at)

    def close(self) -> None:
        self._own.close()
        self._their.close()
        os.close(self.fd)


__all__ = ["Chunk", "ChunkRing", "TlsKernel", "TlsSettings", "Watched"]
