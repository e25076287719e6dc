"""Every system call of a scope into one file of columns: batches of the kernel's CPUs become rows in order.

A CPU fills a batch of its own and puts it on the ring when it is full. Each look takes the ring, and the part of each CPU's
unfinished batch that is there already, up to one moment: so no call waits for a batch to fill, and a thread that moves from
one CPU to another keeps its order. What is taken early is skipped when its batch comes.
"""

from __future__ import annotations

import platform
import select
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from sensor.identity.resolver import Resolver
from sensor.observe import names
from sensor.probes import abi, client
from sensor.probes.catalogue import BY_NAME
from sensor.probes.maps import Map, Ring
from sensor.settings import SensorSettings
from sensor.stopping import Stop
from wire.columns import Writer
from wire.records import CgroupId, Head, ProbeState, Replica

LOOK = 0.05  # seconds between looks; the ring wakes us earlier when an eighth of it waits
NOTE = 2.0  # seconds between notes of names and losses in the file
SETTLE = 2_000_000  # ns within which a call that has its time is also in its batch
FOREVER = (1 << 64) - 1
SIZE = abi.CAPTURE_BATCH
WORDS = 2 * SIZE  # of 8 bytes, the rows of a batch; NumPy copies them 20 times faster than structures


class Merger:
    """Batches of several CPUs to rows that keep the order of each thread."""

    def __init__(self, cpus: int) -> None:
        self.missing = 0  # rows that the kernel found no room for, by the gaps between batches
        self.rescued: Counter[int] = Counter()  # slot → rows of batches that were lost later, but taken early
        self._next = np.zeros(cpus, np.uint64)  # by CPU: the batch that comes next
        self._early = [np.zeros(0, abi.CAPTURE_ROW) for _ in range(cpus)]  # by CPU: what was taken of it

    def take(self, ring: np.ndarray, staged: np.ndarray, until: int) -> tuple[list[np.ndarray], int]:
        """Rows up to a time, in pieces, and how many records of the ring are done with.

        Args:
            ring: Full batches, as `Ring.look` gives them.
            staged: The unfinished batch of each CPU, copied before the ring was looked at.
            until: ns, from before `staged` was copied.
        """
        pieces = [self._of_cpu(cpu, ring, staged[cpu], until) for cpu in range(len(staged))]
        left = np.flatnonzero(ring["sequence"] >= self._next[ring["cpu"]])
        return _in_order([p for p in pieces if len(p)]), int(left[0]) if len(left) else len(ring)

    def _of_cpu(self, cpu: int, ring: np.ndarray, unfinished: np.void, until: int) -> np.ndarray:
        own = np.flatnonzero((ring["cpu"] == cpu) & (ring["sequence"] >= self._next[cpu]))
        sequences, rows = ring["sequence"][own], _rows(ring, own)
        if unfinished["sequence"] >= (sequences[-1] + np.uint64(1) if len(own) else self._next[cpu]):
            sequences = np.append(sequences, unfinished["sequence"])
            rows = np.concatenate((rows.view("<u8"), _words(unfinished["row"][: unfinished["count"]]))).view(rows.dtype)
        late = np.flatnonzero(rows["time"] > until)
        return self._upto(cpu, sequences, rows, int(late[0]) if len(late) else len(rows))

    def _upto(self, cpu: int, sequences: np.ndarray, rows: np.ndarray, stop: int) -> np.ndarray:
        """The first `stop` rows of consecutive batches, without those that were taken before."""
        whole = stop // SIZE
        if not len(sequences) or (stop == 0 and sequences[0] == self._next[cpu]):
            return rows[:0]
        start = len(self._early[cpu])
        if sequences[0] != self._next[cpu]:
            self.rescued.update(self._early[cpu]["slot"].tolist())
            self.missing -= start
            start = 0
        following = sequences[whole] if whole < len(sequences) else sequences[-1] + np.uint64(1)
        self.missing += (int(following) - int(self._next[cpu]) - whole) * SIZE
        self._next[cpu], self._early[cpu] = following, rows[whole * SIZE : stop].copy()
        return rows[start:stop]


def _words(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows).view("<u8")


def _rows(ring: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Copies of the rows of some batches, in one piece."""
    words = ring.view("<u8").reshape(len(ring), -1)[:, -WORDS:] if len(ring) else np.zeros((0, WORDS), "<u8")
    return words[own].reshape(-1).view(abi.CAPTURE_ROW)


def _in_order(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """The same rows, one piece a CPU; in one piece and by time where a thread was on two CPUs."""
    threads = Counter(tid for piece in pieces for tid in _threads(piece))
    if all(cpus == 1 for cpus in threads.values()):
        return pieces
    rows = np.concatenate(pieces)
    return [rows[np.argsort(rows["time"], kind="stable")]]


def _threads(rows: np.ndarray) -> set[int]:
    tids = np.ascontiguousarray(rows["tid"])
    return {int(tids[0]), *tids[1:][tids[1:] != tids[:-1]].tolist()}


class Recorder:
    """A full capture, from settings to a file. Its probes are its own and go with it.

    Raises:
        ProbeError: They cannot be loaded.
        TraceError: The file cannot be written.
    """

    def __init__(self, settings: SensorSettings, path: str | Path, *, stop: Stop | None = None) -> None:
        self.settings = settings
        self.stop = stop or Stop()  # called, it asks the loop to end; safe in a signal handler
        self._lock = client.Lock(settings)
        client.unload(settings)
        try:
            self._open(client.ensure(settings), path)
        except BaseException:
            client.unload(settings)
            raise

    def _open(self, loaded: client.Loaded, path: str | Path) -> None:
        if loaded.probes.get("capture") != "on":
            raise client.ProbeError(f"no full capture here: {loaded.probes.get('capture')}; see driftline doctor")
        maps = {n: Map(loaded.folder / n) for n in ("slots", "staged", "captures", "paths")}
        self._slots = maps["slots"].array(abi.SLOT)
        self._staged = maps["staged"].array(abi.BATCH)
        self._ring, self._paths = Ring(maps["captures"], abi.BATCH), Ring(maps["paths"], abi.PATH_FACT)
        self._poll = select.epoll()
        self._poll.register(self._ring.fd, select.EPOLLIN | select.EPOLLET)  # else it never sleeps while rows come
        self._merger = Merger(len(self._staged))
        self._resolver = Resolver(self.settings.identity)
        self._boot = int(Path("/proc/sys/kernel/random/boot_id").read_text()[:8], 16)
        self._node = self.settings.node or socket.gethostname()
        self._replicas: dict[Replica, int] = {}
        offset = time.clock_gettime_ns(time.CLOCK_REALTIME) - _boottime()
        self._offset = offset
        self.file = Writer(path, head=self._head(loaded), offset=offset)

    def _head(self, loaded: client.Loaded) -> Head:
        state = ProbeState("capture", "on", BY_NAME["capture"].misses)
        at = self._time(_boottime())
        return Head(at, self._node, platform.release(), loaded.epoch, loaded.scope, 0.0, platform.machine(), (state,))

    def run(self) -> None:
        """Until a signal or `stop`."""
        self.stop.listen()
        try:
            self.loop()
        finally:
            self.close()

    def loop(self) -> None:
        due = time.monotonic() + NOTE
        while not self.stop.asked:
            self._poll.poll(LOOK)
            self.take(_boottime() - SETTLE)
            if time.monotonic() >= due:
                due += NOTE
                self._note()

    def take(self, until: int) -> None:
        """Every call up to a time (ns, CLOCK_BOOTTIME), into the file."""
        staged = self._unfinished()
        ring = self._ring.look()
        pieces, done = self._merger.take(ring, staged, until)
        for piece in pieces:
            self.file.add(piece)
        self._ring.done(done)

    def _unfinished(self) -> np.ndarray:
        """A copy of each CPU's batch; of one that was passed on meanwhile, a later one. Source: seqlocks."""
        found = np.zeros(len(self._staged), abi.BATCH)
        for cpu, batch in enumerate(self._staged):
            while True:
                sequence = int(batch["sequence"])
                count = int(batch["count"])
                found[cpu]["row"][:count] = batch["row"][:count]
                if int(batch["sequence"]) == sequence:
                    break
            found[cpu]["sequence"], found[cpu]["count"] = sequence, count
        return found

    def _note(self) -> None:
        """Whose slots they are and what was lost, into the file."""
        facts = self._paths.read()
        for fact in facts[facts["kind"] == abi.SEAT]:
            self._seat(fact)
        self._paths.done(len(facts))
        for identity in self._resolver.poll(self._time(_boottime())):
            if identity.replica in self._replicas:
                self.file.identify(self._replicas[identity.replica], identity)
        for slot, reasons in self.lost().items():
            for reason, count in reasons.items():
                self.file.lose(slot, reason, count)
        self.file.note()

    def _seat(self, fact: np.void) -> None:
        replica = Replica(self._node, CgroupId(int(fact["a"])), self._boot)
        self._replicas[replica] = int(fact["slot"])
        path = names.path(bytes(fact["path"]["text"])[: int(fact["path"]["length"])])
        self.file.identify(int(fact["slot"]), self._resolver.resolve(replica, path, self._time(int(fact["time"]))))

    def lost(self) -> dict[int, dict[str, int]]:
        """By slot and reason, what the kernel counted, less the rows that were taken before their batch was lost."""
        found = {}
        for slot in np.flatnonzero(self._slots["lost"].any(axis=1)).tolist():
            counts = dict(zip(abi.LOSSES, self._slots[slot]["lost"].tolist(), strict=True))
            counts["rows"] -= self._merger.rescued[slot]
            found[slot] = {reason: n for reason, n in counts.items() if n}
        return found

    def close(self) -> None:
        """Detaches, takes what is left in every batch, and completes the file."""
        try:
            client.unload(self.settings)
            time.sleep(SETTLE / 1e9)  # a call that was under way has ended
            self.take(FOREVER)
            self._note()
            self.file.close()
        finally:
            self._poll.close()
            self._resolver.close()
            self._lock.release()

    def summary(self) -> dict[str, Any]:
        """What was recorded and what was lost."""
        lost = sum(n for reasons in self.lost().values() for n in reasons.values())
        return {"calls": self.file.rows, "lost": lost, "replicas": len(self._replicas)}

    def _time(self, boottime: int) -> float:
        return round((boottime + self._offset) / 1e9, 6)


def _boottime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
