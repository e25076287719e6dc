"""Workloads that are agents to their MCP calls over pipes: watches them, reads what their processes read, decodes it.

An `Ear` of `sensor/ears.py`: call `poll` about twenty times a second, and at once when `wake` is readable. Bytes go from the
ring into the decoder and nowhere else: no log, no error and no record of this module quotes them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import Record
from sensor.observe.plaintext.process import started
from sensor.observe.stdio.coverage import Conversation, Coverage, conversations, rows
from sensor.observe.stdio.streams import Streams
from sensor.probes.stdio import LOSSES, StdioKernel, Watched

MOST = 1 << 20  # bytes of the ring that one poll reads: the loop has other things to do
PATIENCE = 60 * 10**9  # ns that the other half of a conversation may take to come
EACH = 1_000_000  # ns more for each lane
SETTLE, LATEST = (
    10**9,
    10**10,
)  # ns between two times that the decoder tells what is late, and processes are looked after


class Capture:
    """The capture of one scope."""

    def __init__(self, kernel: StdioKernel, decoder: Decoder, to_time: Callable[[int], float]) -> None:
        self._kernel, self._decoder = kernel, decoder
        self._streams = Streams(kernel, decoder, to_time)
        self._workloads: set[int] = set()
        self._lost: dict[int, int] = {}  # cgroup → the sum of its loss counters
        self._started: dict[int, str] = {}  # process → when it began, by /proc
        self._settled = 0  # ns, when last

    @property
    def wake(self) -> int:
        """Descriptor that is readable when much came."""
        return self._kernel.wake

    def watch(self, cgroup: int, directory: Path, now: int) -> bool:
        """Captures a workload from now on; whether there was room. The directory is not needed: the kernel knows its readers."""
        if not self._kernel.watch(cgroup):
            return False
        self._workloads.add(cgroup)
        return True

    def forget(self, cgroup: int, now: int) -> list[Record]:
        """Lets a workload go, and tells what its conversations still had."""
        out = self._read()
        self._kernel.unwatch(cgroup)
        self._workloads.discard(cgroup)
        self._lost.pop(cgroup, None)
        return out + self._streams.forget(cgroup, now)

    def hint(self, pid: int, now: int) -> None:
        """A process began or ran another program. Its parent is remembered: it may be gone when a lane asks who wrote."""
        self._streams.kin.note(pid)

    def hints(self, pids: set[int], now: int) -> None:
        """The same of many at once."""
        for pid in pids:
            self.hint(pid, now)

    def hello(self, pid: int) -> None:
        """It speaks TLS, which is of no account here."""

    def poll(self, now: int) -> list[Record]:
        """What was said since the last time.

        Args:
            now: ns of CLOCK_BOOTTIME.
        """
        out = self._read(MOST)
        if self._kernel.blocked and now - self._settled < LATEST:
            return out  # what is missing may be on its way, and who is gone may have said something
        out += self._streams.resolve(now)  # of what was doubted a poll ago: a read in flight has ended by now
        self._doubt()
        if now - self._settled >= max(SETTLE, EACH * len(self._streams)):
            self._settled = now
            out += self._streams.expire(now, self._is_alive)
            out += self._decoder.settle(self._streams.time(now))
            self._tidy()
        return out

    def conversations(self) -> list[Conversation]:
        """Every conversation, and every lane that was left alone."""
        return conversations(self._streams.links, self._streams.left)

    def coverage(self) -> list[Coverage]:
        """Processes of which something is not seen, and why. A server that is slow to answer is none."""
        young = self._settled - PATIENCE
        return rows(c for c in self.conversations() if c.state != "half" or c.since < young)

    def health(self) -> dict[str, float]:
        """Numbers for metrics."""
        d, counters = self._decoder, self._streams.counters
        return {
            "conversations": float(len(self._streams.links)),
            "lanes": float(len(self._streams)),
            "left_alone": float(counters.left),
            "ring_fill": round(self._kernel.fill(), 4),
            "held_bytes": float(d.held),
            "read_bytes": float(d.health.bytes),
            "lost_bytes": float(d.health.lost),
            "dropped": float(sum(d.health.dropped.values())),
            "failed": float(d.health.failed),
            "refused": float(counters.given_up),
        }

    def losses(self) -> dict[int, Watched]:
        """What the kernel counted of each watched workload."""
        found = {cgroup: self._kernel.watched(cgroup) for cgroup in self._workloads}
        return {cgroup: row for cgroup, row in found.items() if row is not None}

    def close(self, now: int) -> list[Record]:
        """Ends everything, and tells what all conversations still had."""
        out = self._read()
        for cgroup in list(self._workloads):
            out += self.forget(cgroup, now)
        return out

    def release(self) -> None:
        """Gives the kernel's part back; to be called last."""
        self._kernel.close()

    def _read(self, most: int | None = None) -> list[Record]:
        """Chunks that were on their way when their workload was forgotten go unread."""
        mine = (chunk for chunk in self._kernel.chunks(most) if chunk.cgroup in self._workloads)
        return [record for chunk in mine for record in self._streams.feed(chunk)]

    def _doubt(self) -> None:
        """Asks how far the lanes of a workload went whose loss counters grew."""
        for cgroup, row in self.losses().items():
            lost = sum(n for why, n in row.lost.items() if why in LOSSES[:5])
            if lost != self._lost.get(cgroup, 0):
                self._streams.doubt(cgroup)
            self._lost[cgroup] = lost

    def _is_alive(self, pid: int) -> bool:
        """Whether a process is the one that it was; yes where that cannot be found out."""
        try:
            began = started(pid)
        except OSError:
            return True
        return began is not None and self._started.setdefault(pid, began) == began

    def _tidy(self) -> None:
        used = {pid for link in self._streams.links for pid in (link.client, link.server)}
        used |= {lane.reader for lane in self._streams.undecided}
        self._started = {pid: began for pid, began in self._started.items() if pid in used}
