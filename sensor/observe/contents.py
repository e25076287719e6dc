"""Files that make an agent what it is to what stands in them: heads of weights at once, digests later and slowly.

In a thread of lowest priority. A digest of weights may take hours: they are read at `RATE`, so that neither the disk nor a core is
taken from the agent. What is opened again is looked at again, and told if it has changed.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sensor.errands import Errands
from sensor.observe import weights
from sensor.observe.digest import CHUNK
from sensor.observe.roots import Unread, Wanted, opened
from wire.assets import steers
from wire.records import Event, Replica, Window

MODEL = re.compile(
    r"\.(?:safetensors|gguf)$|/models--[^/]+/blobs/[0-9a-f]{64}$|/blobs/sha256-[0-9a-f]{64}$", re.IGNORECASE
)
QUEUE, FILES = 256, 4096  # that wait; that are known
SMALL = 1 << 20  # bytes of a file that steers
CONFIG = 256 << 10  # bytes of a config.json
LARGE = 64 << 30  # bytes of weights that are hashed
RATE = 8 << 20  # bytes a second: 1 % of a core, and four gigabytes in nine minutes
AGAIN = 5.0  # seconds between two looks at a file


@dataclass(slots=True)
class File:
    """What is known of one file of one replica."""

    opened: Event
    looked: float  # seconds, event time
    again: bool = False  # opened again, and not looked at yet
    told: tuple[int, ...] = ()  # its state when it was told
    ended: bool = False  # its replica has


@dataclass(frozen=True, slots=True)
class Job:
    """One file to read."""

    event: Event  # of its open
    file: File
    wanted: Wanted
    whole: bool = False  # False: its head, and the digest of a small file; True: the digest of a large one


class Contents:
    """`see` and `look` put files in the queue, `poll` gives `content` events of what was read since.

    Args:
        cgroup_of: Directory of a replica's cgroup; None where it is gone.
        rate: Bytes a second of a digest of weights.
    """

    def __init__(
        self, cgroup_of: Callable[[Replica], Path | None], *, on: bool = True, proc: str = "/proc", rate: int = RATE
    ) -> None:
        self._cgroup_of, self._on, self._proc, self._rate = cgroup_of, on, proc, rate
        self._files: dict[Replica, dict[str, File]] = {}  # by path
        self._errands: Errands[Job] = Errands("contents", self._answer, passes=(OSError, Unread))
        self._found: deque[Event] = deque(maxlen=QUEUE)
        self.refused = 0  # questions that found no room

    def see(self, event: Event) -> None:
        """An open; its file is asked for if it is weights, or steers."""
        path = str(event.data.get("path", ""))
        if self._on and _is_read(event) and (is_model(path) or steers(path)):
            self._ask(event, path, event.time)

    def look(self, window: Window) -> None:
        """A window: what is known and was opened again is looked at again, if need be some windows later."""
        files = self._files.get(window.replica)
        if not files:
            return
        for use in window.uses:
            if (file := files.get(str(use.data.get("path", "")))) is not None:
                file.again = True
        for path, file in files.items():
            if file.again and window.end - file.looked >= AGAIN:
                file.again = False
                self._ask(file.opened, path, window.end)

    def poll(self) -> Iterator[Event]:
        """Answers since the last time."""
        while self._found:
            yield self._found.popleft()

    def forget(self, replica: Replica) -> None:
        """A replica has ended."""
        for file in self._files.pop(replica, {}).values():
            file.ended = True

    def close(self) -> None:
        """Ends the thread."""
        self._errands.close()

    def _ask(self, event: Event, path: str, time: float) -> None:
        files = self._files.get(event.replica, {})
        known = path in files or sum(map(len, self._files.values())) < FILES
        if len(self._errands) >= QUEUE or not known:
            self.refused += 1
            return
        file = files.setdefault(path, File(event, time))
        file.opened, file.looked = event, time
        self._files[event.replica] = files
        wanted = Wanted(int(event.data.get("pid", 0)), path, self._cgroup_of(event.replica))
        self._errands.put(Job(replace(event, time=time), file, wanted))

    # in the thread --------------------------------------------------------------------------------------------------

    def _answer(self, job: Job) -> None:
        with opened(job.wanted, self._proc) as fd:
            state = _state(fd)
            if job.whole:
                self._digest(job, fd, state)
            elif job.file.told != state:
                job.file.told = state
                is_weights = is_model(job.wanted.path)
                found = self._head(job, fd, state) if is_weights else _small(fd, state)
                self._tell(job, "h" if is_weights else "d", state, found)

    def _head(self, job: Job, fd: int, state: tuple[int, ...]) -> dict[str, str | int]:
        if self._errands.put_off < QUEUE:
            self._errands.put_later(replace(job, whole=True))
        try:
            said = weights.head(lambda at, n: os.pread(fd, n, at))
        except weights.NoWeights:
            said = {}
        return said | {k: v for k, v in self._beside(job.wanted).items() if k not in said}

    def _beside(self, wanted: Wanted) -> dict[str, str | int]:
        """What the settings in the same folder say."""
        name = "adapter_config.json" if "adapter" in posixpath.basename(wanted.path) else "config.json"
        path = posixpath.join(posixpath.dirname(wanted.path), name)
        try:
            with opened(replace(wanted, path=path), self._proc) as fd:
                return weights.beside(os.pread(fd, CONFIG, 0))
        except (OSError, Unread):
            return {}

    def _digest(self, job: Job, fd: int, state: tuple[int, ...]) -> None:
        found = self._hashed(job, fd, state) if state[2] <= LARGE else {"unread": "too large"}
        if found:
            self._tell(job, "d", state, found)

    def _hashed(self, job: Job, fd: int, state: tuple[int, ...]) -> dict[str, str | int]:
        digest, at = hashlib.sha256(), 0
        while at <= state[2] and (chunk := os.pread(fd, CHUNK, at)):  # what grows may grow faster than we read
            digest.update(chunk)
            at += len(chunk)
            if at >= 4 * CHUNK:  # what is small is read at once
                time.sleep(len(chunk) / self._rate)
            self._errands.catch_up()  # heads do not wait for a digest
            if self._errands.closed or job.file.ended:
                return {}
        return {"sha256": digest.hexdigest()} if _state(fd) == state else {"unread": "it changes"}

    def _tell(self, job: Job, mark: str, state: tuple[int, ...], found: dict[str, str | int]) -> None:
        version = hashlib.sha256(repr(state).encode()).hexdigest()[:8]
        data = {"path": job.wanted.path, "pid": job.wanted.pid, "of": job.event.id, "size": state[2]} | found
        self._found.append(
            Event(f"{job.event.id}{mark}{version}", job.event.time, job.event.replica, "content", None, data)
        )


def _is_read(event: Event) -> bool:
    return not (event.behaviour or "").startswith("write:")


def is_model(path: str) -> bool:
    """Whether a file holds weights, by its name."""
    return MODEL.search(path) is not None


def _small(fd: int, state: tuple[int, ...]) -> dict[str, str | int]:
    """The digest of a file that steers."""
    if state[2] > SMALL:
        return {"unread": "too large"}
    return {"sha256": hashlib.sha256(os.pread(fd, SMALL, 0)).hexdigest()}


def _state(fd: int) -> tuple[int, ...]:
    held = os.fstat(fd)
    return (held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns)
