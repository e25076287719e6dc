"""Files that make an agent what it is to what stands in them: heads of weights at once, digests later and slowly.

In a thread of lowest priority. A digest of weights may take hours: they are read at `RATE`, so that neither the disk nor a core is
taken from the agent. What is opened again is looked at again, and told if it has changed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import posixpath
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sensor.observe import weights
from sensor.observe.digest import CHUNK, Unread, Wanted, opened
from wire.assets import steers
from wire.records import Event, Replica, Window

log = logging.getLogger(__name__)
MODEL = re.compile(
    r"\.(?:safetensors|gguf)$|/models--[^/]+/blobs/[0-9a-f]{64}$|/blobs/sha256-[0-9a-f]{64}$", re.IGNORECASE
)
QUEUE, FILES = 256, 4096  # that wait; that are known
SMALL = 1 << 20  # bytes of a file that steers
CONFIG = 256 << 10  # bytes of a config.json
LARGE = 64 << 30  # bytes of weights that are hashed
RATE = 8 << 20  # bytes a second: 1 % of a core, and four gigabytes in nine minutes
AGAIN = 5.0  # seconds between two looks at a file


@dataclass(frozen=True, slots=True)
class Job:
    """One file of one replica."""

    event: Event  # of its open
    cgroup: Path | None
    model: bool
    whole: bool = False  # False: its head, and the digest of a small file; True: the digest of a large one

    @property
    def path(self) -> str:
        return str(self.event.data["path"])


class Contents:
    """`see` and `look` put files in the queue, `poll` gives `content` events of what was read since.

    Args:
        cgroup_of: Directory of a replica's cgroup; None where it is gone.
        pause: Waits so many seconds; whether to go on.
    """

    def __init__(
        self, cgroup_of: Callable[[Replica], Path | None], *, on: bool = True, proc: str = "/proc", rate: int = RATE
    ) -> None:
        self._cgroup_of, self._on, self._proc, self._rate = cgroup_of, on, proc, rate
        self._known: dict[tuple[Replica, str], tuple[Event, float]] = {}  # → its open, when it was last looked at
        self._again: set[tuple[Replica, str]] = set()  # opened again, and not looked at yet
        self._told: dict[tuple[Replica, str], tuple[int, ...]] = {}  # → state of the file
        self._jobs: deque[Job] = deque()
        self._slow: deque[Job] = deque()
        self._found: deque[Event] = deque(maxlen=QUEUE)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.refused = 0  # questions that found no room

    def see(self, event: Event) -> None:
        """An open; its file is asked for if it is weights, or steers."""
        path = str(event.data.get("path", ""))
        if self._on and _is_read(event) and _matters(path):
            self._ask(event, path, event.time)

    def look(self, window: Window) -> None:
        """A window: what is known and was opened again is looked at again, if need be some windows later."""
        for use in window.uses if self._known else ():
            key = window.replica, str(use.data.get("path", ""))
            if key in self._known:
                self._again.add(key)
        for key in [k for k in self._again if k[0] == window.replica]:
            event, last = self._known[key]
            if window.end - last >= AGAIN:
                self._again.discard(key)
                self._ask(event, key[1], window.end)

    def poll(self) -> Iterator[Event]:
        """Answers since the last time."""
        while self._found:
            yield self._found.popleft()

    def forget(self, replica: Replica) -> None:
        """A replica has ended."""
        self._again = {k for k in self._again if k[0] != replica}
        for table in (self._known, self._told):
            for key in [k for k in list(table) if k[0] == replica]:
                table.pop(key, None)

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    def _ask(self, event: Event, path: str, time: float) -> None:
        key = event.replica, path
        if len(self._jobs) >= QUEUE or (key not in self._known and len(self._known) >= FILES):
            self.refused += 1
            return
        self._known[key] = event, time
        job = Job(replace(event, time=time), self._cgroup_of(event.replica), MODEL.search(path) is not None)
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="contents", daemon=True)
                self._thread.start()

    # in the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while (job := self._next()) is not None:
            try:
                self._answer(job)
            except (OSError, Unread):  # it has gone, or is no file that can be read
                continue
            except Exception:
                log.exception("content of %r failed", job.path)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._jobs and not self._slow and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            return self._jobs.popleft() if self._jobs else self._slow.popleft()

    def _answer(self, job: Job) -> None:
        wanted = Wanted(job.path, int(job.event.data.get("pid", 0)), job.path, job.cgroup)
        with opened(wanted, self._proc) as fd:
            state, key = _state(fd), (job.event.replica, job.path)
            if job.whole:
                self._digest(job, fd, state)
            elif self._told.get(key) != state:
                self._told[key] = state
                self._tell(job, "h" if job.model else "d", state, self._head(job, fd, wanted, state))

    def _head(self, job: Job, fd: int, wanted: Wanted, state: tuple[int, ...]) -> dict[str, str | int]:
        size = state[2]
        if not job.model:
            return (
                {"unread": "too large"}
                if size > SMALL
                else {"sha256": hashlib.sha256(os.pread(fd, SMALL, 0)).hexdigest()}
            )
        if len(self._slow) < QUEUE:
            self._slow.append(replace(job, whole=True))
        try:
            said = weights.head(lambda at, n: os.pread(fd, n, at))
        except weights.NoWeights:
            said = {}
        return said | {k: v for k, v in self._beside(wanted).items() if k not in said}

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
        digest, at, key = hashlib.sha256(), 0, (job.event.replica, job.path)
        while chunk := os.pread(fd, CHUNK, at):
            digest.update(chunk)
            at += len(chunk)
            if at >= 4 * CHUNK:  # what is small is read at once
                time.sleep(len(chunk) / self._rate)
            while self._jobs and not self._closed:  # heads do not wait for a digest
                self._answer_next()
            if self._closed or key not in self._known:
                return {}
        return {"sha256": digest.hexdigest()} if _state(fd) == state else {"unread": "it changes"}

    def _answer_next(self) -> None:
        try:
            self._answer(self._jobs.popleft())
        except (OSError, Unread, IndexError):
            return

    def _tell(self, job: Job, mark: str, state: tuple[int, ...], found: dict[str, str | int]) -> None:
        path, pid = job.path, int(job.event.data.get("pid", 0))
        version = hashlib.sha256(repr(state).encode()).hexdigest()[:8]
        data = {"path": path, "pid": pid, "of": job.event.id, "size": state[2]} | found
        self._found.append(
            Event(f"{job.event.id}{mark}{version}", job.event.time, job.event.replica, "content", None, data)
        )


def _is_read(event: Event) -> bool:
    return not (event.behaviour or "").startswith("write:")


def _matters(path: str) -> bool:
    return MODEL.search(path) is not None or steers(path)


def _state(fd: int) -> tuple[int, ...]:
    held = os.fstat(fd)
    return (held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns)
