"""Texts that were read to sealed texts on disk: sealed at once, kept when somebody has named whose they are.

A text is in clear only in the call that reads it. What waits, for its workload's name or for the disk, is sealed already.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.settings import OriginalsSettings
from wire.digests import sha256
from wire.records import Identity, Workload

if TYPE_CHECKING:
    from sensor.originals.sealing import Seal
    from sensor.originals.shelf import Original

log = logging.getLogger("driftline.sensor")

SECOND = 10**9  # ns
HELD = 16 << 20  # bytes that wait
PATIENCE = 30 * SECOND  # for a name
AGAIN = 60 * SECOND  # after which a text that is said again is sealed again
KNOWN = 8192  # texts that were sealed lately
TEXTS = 1024  # of one replica in `SPAN`
SPAN = 10 * SECOND
NAMES = 4096  # replicas
TIDY = 60 * SECOND  # between looks at what is past its days
DAY = 86_400.0  # seconds
END = 2.0  # seconds that the end waits for the disk
QUIET = 60.0  # seconds between two lines of the log


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sealed text whose workload may not be known yet."""

    cgroup: int
    kind: str
    digest: str
    length: int
    since: int  # ns
    sealed: bytes = field(repr=False)


class Nothing:
    """Where no recipient is named."""

    sealed = None

    def identified(self, identity: Identity) -> None:
        """Nobody is asked for."""

    def poll(self, now: int) -> None:
        """There is nothing to do."""

    def health(self) -> dict[str, float]:
        """No numbers."""
        return {}

    def close(self, now: int) -> None:
        """There is nothing to end."""


def of(settings: OriginalsSettings, *, node: str, to_time: Callable[[int], float], now: int) -> Nothing | Keeper:
    """What the settings ask for.

    Args:
        to_time: ns of CLOCK_BOOTTIME to seconds of event time.
        now: ns of CLOCK_BOOTTIME.
    Raises:
        SealingError: A recipient is no key, or the library that seals is not here.
    """
    if not settings.recipients:
        return Nothing()
    from sensor.originals.sealing import sealer

    return Keeper(settings, sealer(settings.recipients), node=node, to_time=to_time, now=now)


class Keeper:
    """Keeps originals.

    Args:
        seal: A text to a sealed one.
    """

    def __init__(
        self,
        settings: OriginalsSettings,
        seal: Seal,
        *,
        node: str,
        to_time: Callable[[int], float],
        now: int,
    ) -> None:
        self._settings, self._seal, self._node, self._to_time = settings, seal, node, to_time
        self._now = now
        self._names: OrderedDict[int, Workload | None] = OrderedDict()  # cgroup → whose
        self._known: OrderedDict[tuple[int, str], int] = OrderedDict()  # cgroup and digest → when it was sealed, ns
        self._counts: Counter[int] = Counter()  # cgroup → texts in this span
        self._span = self._tidied = 0
        self._waiting: deque[Waiting] = deque()
        self._held, self._failures = 0, 0
        self.lost: Counter[str] = Counter()
        self._writer = Writer(settings.folder, settings.max_bytes, settings.days)
        log.info("whole texts are sealed for %d keys and kept in %s", len(settings.recipients), settings.folder)

    def __repr__(self) -> str:
        return f"<Keeper in {self._settings.folder}>"

    def sealed(self, kind: str, place: Any, original: bytes) -> None:
        """Takes a whole text; the decoder calls this, and what went wrong here is none of its business."""
        try:
            self._take(kind, place.connection.cgroup, original)
        except Exception as e:  # its words could quote the text
            self.lost["failed"] += 1
            log.debug("a text was not sealed: %s", type(e).__name__)

    def identified(self, identity: Identity) -> None:
        """Whose a replica is, as far as that is known."""
        cgroup = identity.replica.cgroup
        known = self._names.pop(cgroup, None)
        self._names[cgroup] = identity.workload or known
        if len(self._names) > NAMES:
            self._names.popitem(last=False)

    def poll(self, now: int) -> None:
        """Hands on what has a name by now."""
        self._now = now
        if self._writer.failures != self._failures:  # what was on its way then is sealed again when it is said again
            self._failures = self._writer.failures
            self._known.clear()
        ready = self._named(now, PATIENCE)
        if ready or now - self._tidied >= TIDY:
            self._tidied = now
            self._writer.put(ready, self._to_time(now), self.lost)

    def health(self) -> dict[str, float]:
        """Numbers for metrics, since the start."""
        lost = sum((self.lost + self._writer.lost).values())
        values = {"kept": self._writer.kept, "lost": lost, "waiting_bytes": self._held + self._writer.held}
        return {f"originals/{name}": float(value) for name, value in values.items()}

    def close(self, now: int) -> None:
        """Hands on what there is, with a name or without, and waits for the disk a little."""
        self._now = now
        self._writer.put(self._named(now, 0), self._to_time(now), self.lost)
        self._writer.close()

    def _take(self, kind: str, cgroup: int, original: bytes) -> None:
        if not original or not self._may(cgroup):
            return
        digest = sha256(original)
        if self._now - self._known.get((cgroup, digest), -AGAIN) < AGAIN:
            return
        if self._now - self._span >= SPAN:
            self._span = self._now
            self._counts.clear()
        self._counts[cgroup] += 1
        if self._counts[cgroup] > TEXTS:
            self.lost["too many"] += 1
        elif self._held + self._writer.held + len(original) > HELD:
            self.lost["memory"] += 1
        else:
            self._put(Waiting(cgroup, kind, digest, len(original), self._now, self._seal(original)))

    def _may(self, cgroup: int) -> bool:
        """Whether it is wanted, as far as that is known."""
        name = self._names.get(cgroup)
        return name is None or self._wanted(name)

    def _wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._settings.workloads)

    def _put(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)
        self._held += len(waiting.sealed)
        self._known.pop(key := (waiting.cgroup, waiting.digest), None)
        self._known[key] = waiting.since
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def _named(self, now: int, patience: int) -> list[Original]:
        found: list[Original] = []
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            name = self._names.get(waiting.cgroup)
            if name is None and now - waiting.since < patience:
                self._waiting.append(waiting)
                continue
            self._held -= len(waiting.sealed)
            if name is None and "*" not in self._settings.workloads:
                self.lost["without a name"] += 1
            elif name is None or self._wanted(name):
                found.append(self._original(waiting, name or f"unresolved:{waiting.cgroup}"))
        return found

    def _original(self, w: Waiting, workload: str) -> Original:
        from sensor.originals.shelf import Original

        time = self._to_time(w.since)
        return Original(w.digest, workload, w.kind, self._node, w.cgroup, time, w.length, w.sealed)


class Writer:
    """Writes to the file beside the loop, in a thread that begins with the first text."""

    def __init__(self, folder: Path, max_bytes: int, days: float) -> None:
        self._folder, self._max_bytes, self._days = folder, max_bytes, days
        self._queue: deque[tuple[list[Original], float]] = deque()
        self._changed, self._thread = threading.Condition(), None
        self._closed, self._shelf, self._told = False, None, -QUIET
        self._noted: Counter[str] = Counter()  # losses that are in the file
        self._losses: Counter[str] = Counter()  # as the keeper knows them
        self.held = self.kept = self.failures = 0
        self.lost: Counter[str] = Counter()

    def put(self, found: list[Original], now: float, losses: Mapping[str, int]) -> None:
        """Takes sealed texts, to be written at once.

        Args:
            now: seconds, event time.
            losses: what was lost before it came here, by reason.
        """
        with self._changed:
            self._losses = Counter(losses)
            self._queue.append((found, now))
            self.held += sum(len(o.sealed) for o in found)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="originals", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Waits for what is on its way, and no longer than `END`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(END)

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            found, now = batch
            try:
                self._write(found, now)
            except Exception as e:  # the disk is full, or the folder is not ours: texts are lost, the sensor goes on
                self._failed(found, e)
            with self._changed:
                self.held -= sum(len(o.sealed) for o in found)
        if self._shelf is not None:
            self._shelf.close()

    def _next(self) -> tuple[list[Original], float] | None:
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            return self._queue.popleft() if self._queue else None

    def _write(self, found: list[Original], now: float) -> None:
        from sensor.originals.shelf import Shelf

        if self._shelf is None:
            self._shelf = Shelf(self._folder, max_bytes=self._max_bytes)
        self._shelf.put(found, before=now - self._days * DAY)
        self.kept += len(found)
        for reason, texts in (self._losses + self.lost - self._noted).items():
            self._shelf.lost(reason, texts)
            self._noted[reason] += texts

    def _failed(self, found: list[Original], e: Exception) -> None:
        self.failures += 1
        self.lost["disk"] += len(found)
        if time.monotonic() - self._told >= QUIET:
            self._told = time.monotonic()
            log.warning("sealed texts are lost: %s", e)
