"""Chunks of connections to records: gives the decoder each connection from its first byte to its end, and tells it what is missing.

What a chunk's offset skips was lost. What was lost behind the last chunk is found by asking the kernel how far a connection
went; that is asked only when its loss counters grew.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import Direction, Record
from sensor.probes.tls import CLOSED, RECEIVED, SENT, WHOLE, Chunk

CONNECTIONS = 8192  # that are followed; the one that was quiet for longest is given up
NAMES: tuple[Direction, Direction] = ("sent", "received")
HTTP = re.compile(rb"HTTP/1\.[01] |PRI \* HTTP/2|[A-Z]{3,7} [^ \r\n]+ HTTP/1\.[01]\r\n")


class Connection(NamedTuple):
    """One connection: the key that records carry in `place.connection`."""

    cgroup: int
    pid: int
    ssl: int  # address of its object in the process
    born: int  # generation of that address: ns, CLOCK_BOOTTIME


class Reach(Protocol):
    """Who knows how many bytes a connection has sent and received; None: it has ended."""

    def __call__(self, pid: int, ssl: int, born: int) -> tuple[int, int] | None: ...


class Streams:
    """All connections of all watched processes."""

    def __init__(self, decoder: Decoder, to_time: Callable[[int], float]) -> None:
        self._decoder, self._to_time = decoder, to_time
        self._seen: OrderedDict[Connection, list[int]] = OrderedDict()  # → next offset, by direction
        self._at: dict[tuple[int, int], Connection] = {}  # (pid, ssl) → who is there now
        self._doubtful: list[tuple[Connection, tuple[int, int]]] = []  # → how far each went, by the kernel
        self.http: set[int] = set()  # processes whose plaintext was HTTP
        self.given_up = 0  # connections

    def __len__(self) -> int:
        return len(self._seen)

    def time(self, now: int) -> float:
        """Event time of a moment of the kernel's clock."""
        return self._to_time(now)

    def feed(self, chunk: Chunk) -> list[Record]:
        """One record of the ring, in the ring's order."""
        key = Connection(chunk.cgroup, chunk.pid, chunk.ssl, chunk.born)
        out = [] if key in self._seen else self._begin(key, chunk)
        time = self._to_time(chunk.time)
        if chunk.kind == CLOSED:
            out += self._missing(key, SENT, chunk.offset, time) + self._missing(key, RECEIVED, chunk.received, time)
            return out + self._end(key, time)
        out += self._missing(key, chunk.direction, chunk.offset, time)
        if chunk.offset == 0 and HTTP.match(chunk.data):
            self.http.add(chunk.pid)
        self._seen[key][chunk.direction] = max(self._seen[key][chunk.direction], chunk.offset + len(chunk.data))
        self._seen.move_to_end(key)
        return out + self._decoder.data(key, NAMES[chunk.direction], chunk.offset, chunk.data, time)

    def doubt(self, cgroup: int, reach: Reach) -> None:
        """Bytes of this workload were lost: notes how far its connections went. `resolve` tells what did not come."""
        for key in self._seen:
            reached = reach(key.pid, key.ssl, key.born) if key.cgroup == cgroup else None
            if reached is not None:
                self._doubtful.append((key, reached))

    def resolve(self, now: int) -> list[Record]:
        """After the ring was read to its end: what was sent before `doubt` and is not here was lost."""
        doubtful, self._doubtful = self._doubtful, []
        out: list[Record] = []
        for key, reached in doubtful:
            for direction in (SENT, RECEIVED):
                if key in self._seen:
                    out += self._missing(key, direction, reached[direction], self._to_time(now))
        return out

    def ended(self, pid: int, now: int) -> list[Record]:
        """A process is gone, and its connections with it."""
        self.http.discard(pid)
        mine = [key for key in self._seen if key.pid == pid]
        return [record for key in mine for record in self._end(key, self._to_time(now))]

    def _begin(self, key: Connection, chunk: Chunk) -> list[Record]:
        time = self._to_time(chunk.time)
        before = self._at.get((key.pid, key.ssl))
        out = [] if before is None else self._end(before, time)
        if len(self._seen) >= CONNECTIONS:
            self.given_up += 1
            out += self._end(next(iter(self._seen)), time)
        self._seen[key] = [0, 0]
        self._at[key.pid, key.ssl] = key
        self._decoder.open(key, whole=bool(chunk.flags & WHOLE), owner=key.cgroup)
        return out

    def _missing(self, key: Connection, direction: int, offset: int, time: float) -> list[Record]:
        """Tells the bytes before an offset that did not come."""
        at = self._seen[key][direction]
        if offset <= at:
            return []
        self._seen[key][direction] = offset
        return self._decoder.gap(key, NAMES[direction], at, offset - at, time)

    def _end(self, key: Connection, time: float) -> list[Record]:
        self._seen.pop(key, None)
        if self._at.get((key.pid, key.ssl)) == key:
            del self._at[key.pid, key.ssl]
        return self._decoder.close(key, time)
