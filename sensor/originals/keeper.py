"""Texts that were read to sealed texts on disk: sealed at once, kept when somebody has named whose they are.

A text is in clear only in the call that reads it. What waits, for its workload's name or for the disk, is sealed already.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sensor.originals.writer import Writer
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
