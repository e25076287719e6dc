"""The programs and tables of bpf/tls.c, held by descriptors: which workloads are read, their chunks, what was lost.

Everything here ends with this object or this process, a kill included. Chunks hold plaintext: they are handed to the decoder
and nowhere else, and no text of this module's errors quotes them.
"""

from __future__ import annotations

import array
import contextlib
import json
import mmap
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sensor.probes import client, tls_loader, trial, uprobes
from sensor.probes.maps import PAGE, Map

SENT, RECEIVED = 0, 1
DATA, CLOSED = 1, 2
WHOLE = 1
LOSSES = ("ring", "budget", "unreadable", "long", "calls", "closes")  # bytes, the last two in calls
CHUNK = struct.Struct("<QQQQQQIIIBBH")
WORKLOAD = np.dtype(
    [*((n, "<u8") for n in ("budget", "second", "used", "calls", "bytes")), ("lost", "<u8", (len(LOSSES),))]
)
POSITION = struct.Struct("Q")  # native: one store. With "<" Python writes byte by byte, and a writer may read half of it
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
        fds = _load(scope, self.settings)
        names = (*tls_loader.PROGRAMS, *tls_loader.MAPS)
        self._programs = _Programs(dict(zip(tls_loader.PROGRAMS, fds, strict=False)))
        maps = {n: Map(fd, n) for n, fd in list(zip(names, fds, strict=True))[len(tls_loader.PROGRAMS) :]}
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

    def take(self) -> Iterator[Chunk]:
        """Complete records; the space of each lot is given back when the next is asked for."""
        at, end = self._position(self._own), self._position(self._their)
        given, self.blocked = at, False
        while at < end:
            head = struct.unpack_from("<I", self._their, PAGE + (at & (self._size - 1)))[0]
            if head & BUSY:
                self.blocked = True
                break
            if not head & DISCARDED:
                yield self._chunk(PAGE + (at & (self._size - 1)) + 8)
            at += (8 + (head & LENGTH) + 7) & ~7
            if at - given > LOT:
                self._give_back(at)
                given = at
        self._give_back(at)

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


def _load(scope: Path, settings: TlsSettings) -> list[int]:
    base, scope = client.cgroup_root(), scope.resolve()
    plan = {
        "scope_cgroup": scope.stat().st_ino,
        "scope_level": len(scope.relative_to(base).parts),
        "chunk_pages": settings.chunk_pages,
        "workloads": settings.workloads,
    }
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(
            [client.PYTHON, "-m", "sensor.probes.tls_loader", str(theirs.fileno())],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE},
            **{"cwd": client.ROOT, "pass_fds": [theirs.fileno()]},
        )
        theirs.close()
        try:
            _, said = child.communicate(json.dumps(plan).encode(), timeout=client.TIMEOUT)
        except subprocess.TimeoutExpired as e:
            child.kill()
            child.communicate()
            raise client.ProbeError(f"compiling bpf/tls.c took longer than {client.TIMEOUT} s") from e
        return _received(ours, said)


def _received(ours: socket.socket, said: bytes) -> list[int]:
    count = len(tls_loader.PROGRAMS) + len(tls_loader.MAPS)
    data, fds, _, _ = socket.recv_fds(ours, 65536, count)
    with contextlib.suppress(json.JSONDecodeError):
        answer = json.loads(data)
        if len(fds) == count and "error" not in answer:
            return list(array.array("i", fds))
        said = str(answer.get("error", "")).encode() + b"\n" + said
    for fd in fds:
        os.close(fd)
    last = said.decode(errors="replace").strip().splitlines()
    raise client.ProbeError(f"cannot load bpf/tls.c: {last[0] if last else 'the loader died'}")


__all__ = ["Chunk", "ChunkRing", "TlsKernel", "TlsSettings", "Watched"]
