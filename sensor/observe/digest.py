"""Executables become SHA-256 digests, in a thread of lowest priority that the sensor's loop never waits for."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sensor.errands import Errands
from sensor.observe.roots import Unread, Wanted, opened

log = logging.getLogger(__name__)
CHUNK = 256 << 10  # bytes


@dataclass(frozen=True, slots=True)
class DigestLimits:
    """How much is hashed and held."""

    size: int = 256 << 20  # bytes of one file
    queue: int = 512  # files that wait, and answers that wait to be polled
    remembered: int = 4096  # digests by inode


class Digester:
    """`ask` puts a file in the queue, `poll` returns what has been hashed since.

    A file is known by device, inode, size and both times, so an executable that runs often is read once.
    """

    def __init__(self, limits: DigestLimits | None = None, proc: str = "/proc") -> None:
        self._limits, self._proc = limits or DigestLimits(), proc
        self._found: deque[tuple[Hashable, str]] = deque()
        self._known: OrderedDict[tuple[int, ...], str] = OrderedDict()
        self._errands: Errands[tuple[Hashable, Wanted]] = Errands("digest", self._answer)
        self.dropped: Counter[str] = Counter()  # reason → files without a digest

    def ask(self, key: Hashable, pid: int, path: str, cgroup: Path | None = None) -> bool:
        """Wants the digest of `path` as process `pid` sees it, see `Wanted`; False where the queue is full."""
        if self._errands.closed or len(self._errands) + len(self._found) >= self._limits.queue:
            self.dropped["queue full"] += 1
            return False
        self._errands.put((key, Wanted(pid, path, cgroup)))
        return True

    def poll(self) -> Iterator[tuple[Hashable, str]]:
        """(key, SHA-256 in hex) since the last time; (key, reason) for what could not be hashed, see `Unread`."""
        while self._found:
            yield self._found.popleft()

    def close(self) -> None:
        """Ends the thread."""
        self._errands.close()

    def _answer(self, job: tuple[Hashable, Wanted]) -> None:
        key, wanted = job
        try:
            answer = self._digest(wanted)
        except Exception as e:
            answer = _why(e, wanted)
            self.dropped[answer] += 1
        self._found.append((key, answer))

    def _digest(self, wanted: Wanted) -> str:
        with opened(wanted, self._proc) as fd:
            for _ in range(2):  # a file being written is tried once more
                before = _state(fd)
                if before[2] > self._limits.size:
                    raise Unread("too large")
                if before in self._known:
                    self._known.move_to_end(before)
                    return self._known[before]
                found = self._hashed(fd)
                if _state(fd) == before:
                    return self._remember(before, found)
        raise Unread("unstable")

    def _hashed(self, fd: int) -> str:
        digest, at = hashlib.sha256(), 0
        while chunk := os.pread(fd, CHUNK, at):
            digest.update(chunk)
            at += len(chunk)
            if at > self._limits.size:
                raise Unread("too large")
            if self._errands.closed:
                raise Unread("gone")
        return digest.hexdigest()

    def _remember(self, state: tuple[int, ...], found: str) -> str:
        self._known[state] = found
        if len(self._known) > self._limits.remembered:
            self._known.popitem(last=False)
        return found


def _state(fd: int) -> tuple[int, ...]:
    held = os.fstat(fd)
    return (held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns, held.st_ctime_ns)


def _why(e: Exception, wanted: Wanted) -> str:
    """Why a file could not be hashed."""
    if isinstance(e, Unread):
        return str(e)
    if isinstance(e, OSError):
        return "gone" if e.errno in (errno.ENOENT, errno.ESRCH, errno.ENOTDIR) else "unreadable"
    log.error("digest of %s failed", wanted.path, exc_info=e)
    return "unreadable"
