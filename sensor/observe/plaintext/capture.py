"""Workloads that are agents to their model calls: finds their processes, attaches, reads the plaintext, decodes it.

Call `poll` about twenty times a second, and at once when `wake` is readable. Bytes go from the ring into the decoder and
nowhere else: no log, no error and no record of this module quotes them.
"""

from __future__ import annotations

import errno
import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import Record
from sensor.observe.plaintext.ladder import Coverage, NoSignatures, Signatures
from sensor.observe.plaintext.libraries import Library, Mapping, Shelf, key_of, opened, searched
from sensor.observe.plaintext.process import Process, started
from sensor.observe.plaintext.streams import Streams
from sensor.probes.tls import LOSSES, TlsKernel, Watched

log = logging.getLogger("driftline.sensor")

SETTLE = 10**9  # ns between two times that the decoder tells what is late
SEARCHED = 4 << 20  # bytes of files that one poll searches for TLS: about 10 ms
LEAST, EACH = 100_000_000, 1_000_000  # ns between two looks for new processes: at least, and for each workload
PROCESSES = 4096  # that are attached to at a time


class Capture:
    """The capture of one scope."""

    def __init__(
        self,
        kernel: TlsKernel,
        decoder: Decoder,
        to_time: Callable[[int], float],
        signatures: Signatures | None = None,
    ) -> None:
        self._kernel, self._decoder = kernel, decoder
        self._signatures = signatures or NoSignatures()
        self._streams = Streams(decoder, to_time)
        self._shelf = Shelf()
        self._workloads: dict[int, Path] = {}  # cgroup → its directory
        self._processes: dict[int, Process] = {}
        self._lost: dict[int, int] = {}  # cgroup → the sum of its loss counters
        self._to_search: deque[tuple[int, Mapping]] = deque()
        self._search: Iterator[int] = iter(())
        self._settled = self._discovered = 0  # ns, when last
        self.refused = 0  # processes beyond the limit
        self.failed = 0  # looks that came to nothing, e.g. for want of descriptors

    @property
    def wake(self) -> int:
        """Descriptor that is readable when a large body came."""
        return self._kernel.wake

    def watch(self, cgroup: int, directory: Path, now: int) -> bool:
        """Captures a workload from now on; whether there was room for it."""
        if not self._kernel.watch(cgroup):
            return False
        self._workloads[cgroup] = directory
        self._discover(now)
        return True

    def forget(self, cgroup: int, now: int) -> list[Record]:
        """Lets a workload go: detaches, and tells what its connections still had."""
        out = self._read()
        self._kernel.unwatch(cgroup)
        self._workloads.pop(cgroup, None)
        self._lost.pop(cgroup, None)
        return out + self._drop([p for p in self._processes.values() if p.cgroup == cgroup], now)

    def hint(self, pid: int, now: int) -> None:
        """Something of a process has changed: it began, ran another program, or opened a library. Looks at once."""
        process = self._processes.get(pid)
        if process is not None:
            process.found = now
            self._look(process, now)
        elif self._workloads:
            self._discover(now)

    def hints(self, pids: set[int], now: int) -> None:
        """The same of many at once: processes that are new are looked for once."""
        known = pids & self._processes.keys()
        for pid in known:
            self.hint(pid, now)
        if pids - known and self._workloads:
            self._discover(now)

    def hello(self, pid: int) -> None:
        """A ClientHello of a process was seen on the network, so it speaks TLS, by whatever code."""
        if pid in self._processes:
            self._processes[pid].hello = True

    def poll(self, now: int) -> list[Record]:
        """What was said since the last time.

        Args:
            now: ns of CLOCK_BOOTTIME.
        """
        if now - self._discovered >= max(LEAST, EACH * len(self._workloads)):
            self._discover(now)
            self._doubt()
        for process in list(self._processes.values()):
            if not process.gone and process.due <= now:
                self._look(process, now)
        self._search_on()
        out = self._read()
        if not self._kernel.blocked:  # else what is missing may be on its way
            out += self._streams.resolve(now)
            out += self._drop([p for p in self._processes.values() if p.gone], now)
        if now - self._settled >= SETTLE:
            self._settled = now
            out += self._decoder.settle(self._streams.time(now))
        return out

    def coverage(self) -> list[Coverage]:
        """Where every process of the watched workloads stands."""
        return [p.coverage(http=pid in self._streams.http) for pid, p in sorted(self._processes.items())]

    def losses(self) -> dict[int, Watched]:
        """What the kernel counted of each watched workload."""
        rows = {cgroup: self._kernel.watched(cgroup) for cgroup in self._workloads}
        return {cgroup: row for cgroup, row in rows.items() if row is not None}

    def health(self) -> dict[str, float]:
        """Numbers for metrics."""
        d = self._decoder
        return {
            "processes": float(len(self._processes)),
            "connections": float(len(self._streams)),
            "ring_fill": round(self._kernel.fill(), 4),
            "held_bytes": float(d.held),
            "read_bytes": float(d.health.bytes),
            "lost_bytes": float(d.health.lost),
            "dropped": float(sum(d.health.dropped.values())),
            "failed": float(self.failed + d.health.failed),
            "refused": float(self.refused + self._streams.given_up),
        }

    def close(self, now: int) -> list[Record]:
        """Detaches everything, and tells what all connections still had."""
        for process in self._processes.values():
            process.close()
        out = self._read()
        self._processes.clear()
        return out + self._decoder.finish(self._streams.time(now))

    def release(self) -> None:
        """Gives the kernel's part back; to be called last."""
        self._kernel.close()

    # -- processes ---------------------------------------------------------------------------------------------------

    def _discover(self, now: int) -> None:
        """Attaches to processes that are new. Those that are gone are marked, for their last chunks may wait in the ring."""
        here: dict[int, int] = {}
        self._discovered = now
        try:
            for cgroup, directory in self._workloads.items():
                here |= dict.fromkeys(_members(directory), cgroup)
        except OSError:  # no descriptors: nobody is taken for gone, for that
            self.failed += 1
            return
        for pid, process in self._processes.items():
            if here.get(pid) != process.cgroup:
                process.gone = True
        for pid in here.keys() - self._processes.keys():
            self._enter(pid, here[pid], now)

    def _enter(self, pid: int, cgroup: int, now: int) -> None:
        try:
            began = started(pid)
        except OSError:
            self.failed += 1
            return
        if began is None:
            return  # it exited while we looked
        if len(self._processes) >= PROCESSES:
            self.refused += 1
            return
        process = self._processes[pid] = Process(pid, cgroup, began, now)
        self._look(process, now)

    def _look(self, process: Process, now: int) -> None:
        try:
            process.gone = started(process.pid) != process.started  # or its number is another's by now
            new = [] if process.gone else process.look(self._shelf, self._kernel.program, self._signatures, now)
        except OSError:
            self.failed += 1
            return
        self._to_search.extend((process.pid, m) for m in new)

    def _drop(self, processes: list[Process], now: int) -> list[Record]:
        out: list[Record] = []
        for process in processes:
            process.close()
            del self._processes[process.pid]
            out += self._streams.ended(process.pid, now)
        if processes:
            used = {lib.key for p in self._processes.values() for lib in p.libraries.values()}
            self._shelf.keep(used)
        return out

    # -- files without symbols ---------------------------------------------------------------------------------------

    def _search_on(self) -> None:
        """Goes on looking for TLS in files that have no symbols of it, a little at each poll."""
        left = SEARCHED
        while left > 0:
            size = next(self._search, None)
            if size is not None:
                left -= size
            elif self._to_search:
                self._search = self._begin_search(*self._to_search.popleft())
            else:
                return

    def _begin_search(self, pid: int, mapping: Mapping) -> Iterator[int]:
        process = self._processes.get(pid)
        library = process.libraries.get(mapping) if process else None
        if process is None or library is None or library.speaks is not None:
            return
        try:
            with opened(pid, mapping) as file:
                if key_of(file) == library.key:
                    yield from searched(file, library)
        except OSError as e:
            library.speaks, library.unread = False, e.strerror or str(e)
        self._warn(process, library)

    def _warn(self, process: Process, library: Library) -> None:
        if library.speaks:
            for part in process.parts():
                if part.path == library.path and part.rung == "uncovered":
                    log.warning("process %d: %r is uncovered: %s", process.pid, part.path, part.reason)

    # -- bytes -------------------------------------------------------------------------------------------------------

    def _read(self) -> list[Record]:
        """Chunks that were on their way when their workload was forgotten go unread."""
        mine = (chunk for chunk in self._kernel.chunks() if chunk.cgroup in self._workloads)
        return [record for chunk in mine for record in self._streams.feed(chunk)]

    def _doubt(self) -> None:
        """Asks how far the connections of a workload went whose loss counters grew."""
        for cgroup, row in self.losses().items():
            lost = sum(n for why, n in row.lost.items() if why in LOSSES[:4])
            if lost != self._lost.get(cgroup, 0):
                self._streams.doubt(cgroup, self._kernel.reached)
            self._lost[cgroup] = lost


def _members(directory: Path) -> list[int]:
    try:
        text = (directory / "cgroup.procs").read_text()
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENODEV):  # the cgroup is gone
            return []
        raise
    return [int(pid) for pid in text.split() if pid != "0"]  # 0: of another pid namespace
