"""Executables become SHA-256 digests, in a thread of lowest priority that the sensor's loop never waits for."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import logging
import os
import stat
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)
CHUNK = 256 << 10  # bytes
MEMBERS = 8  # processes of a cgroup that are tried
OPENAT2 = 437  # system call, the same number on every architecture
IN_ROOT, NO_MAGIC = 0x10, 0x02  # RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS of linux/openat2.h
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class DigestLimits:
    """How much is hashed and held."""

    size: int = 256 << 20  # bytes of one file
    queue: int = 512  # files that wait, and answers that wait to be polled
    remembered: int = 4096  # digests by inode


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as a process sees it. `cgroup`: only processes that are in it now are looked through."""

    key: Hashable
    pid: int
    path: str
    cgroup: Path | None


class Unread(Exception):
    """Why there is no digest: "gone", "unstable", "too large", "no regular file" or "unreadable"."""


class Digester:
    """`ask` puts a file in the queue, `poll` returns what has been hashed since.

    A file is known by device, inode, size and both times, so an executable that runs often is read once.
    """

    def __init__(self, limits: DigestLimits | None = None, proc: str = "/proc") -> None:
        self._limits, self._proc = limits or DigestLimits(), proc
        self._wanted: deque[Wanted] = deque()
        self._found: deque[tuple[Hashable, str]] = deque()
        self._known: OrderedDict[tuple[int, ...], str] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed, self._busy = False, 0
        self.dropped: Counter[str] = Counter()  # reason → files without a digest

    def ask(self, key: Hashable, pid: int, path: str, cgroup: Path | None = None) -> bool:
        """Wants the digest of `path` as process `pid` sees it; False where the queue is full.

        With `cgroup`, the directory of the process's cgroup, only a process that is in it now is looked at, so a pid
        used anew does no harm; and where `pid` has exited, another process of the cgroup shows the same root.
        """
        with self._changed:
            if self._closed or len(self._wanted) + len(self._found) + self._busy >= self._limits.queue:
                self.dropped["queue full"] += 1
                return False
            self._wanted.append(Wanted(key, pid, path, cgroup))
            self._changed.notify()
            self._begin()
        return True

    def poll(self) -> list[tuple[Hashable, str]]:
        """(key, SHA-256 in hex) since the last time; (key, reason) for what could not be hashed, see `Unread`."""
        with self._changed:
            found = list(self._found)
            self._found.clear()
        return found

    def close(self, timeout: float = 2.0) -> None:
        """Ends the thread; a file on a stuck mount may hold it longer, and then it dies with the process."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while (wanted := self._next()) is not None:
            answer = self._answer(wanted)
            with self._changed:
                self._busy = 0
                self._found.append((wanted.key, answer))

    def _next(self) -> Wanted | None:
        with self._changed:
            while not self._wanted and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            self._busy = 1
            return self._wanted.popleft()

    def _answer(self, wanted: Wanted) -> str:
        try:
            return self._digest(wanted)
        except Unread as e:
            reason = str(e)
        except OSError as e:
            reason = "gone" if e.errno in (errno.ENOENT, errno.ESRCH, errno.ENOTDIR) else "unreadable"
        except Exception:
            log.exception("digest of %s failed", wanted.path)
            reason = "unreadable"
        self.dropped[reason] += 1
        return reason

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
            if self._closed:
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


@contextmanager
def opened(wanted: Wanted, proc: str) -> Iterator[int]:
    """The file, opened for reading. Raises Unread, OSError."""
    fd = _readable(_found(wanted, proc))
    try:
        yield fd
    finally:
        os.close(fd)


def _found(wanted: Wanted, proc: str) -> int:
    """An O_PATH descriptor of the file, by the first process that shows it."""
    for pid in _members(wanted):
        fd = _seen_by(pid, wanted, proc)
        if fd is None:
            continue
        if wanted.cgroup is None or pid in _listed(wanted.cgroup):  # still the same process
            return fd
        os.close(fd)
    raise Unread("gone")


def _members(wanted: Wanted) -> list[int]:
    """Processes to look through: the one that ran the file first."""
    if wanted.cgroup is None:
        return [wanted.pid]
    listed = _listed(wanted.cgroup)
    own = [wanted.pid] if wanted.pid in listed else []
    return own + [pid for pid in listed if pid != wanted.pid][:MEMBERS]


def _listed(cgroup: Path) -> list[int]:
    try:
        return [int(line) for line in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:  # the cgroup has gone
        return []


def _seen_by(pid: int, wanted: Wanted, proc: str) -> int | None:
    """The file as one process sees it: its executable where that is the file (as a memfd must be), else by path."""
    try:
        if pid == wanted.pid and _is_executable(f"{proc}/{pid}/exe", wanted.path):
            return os.open(f"{proc}/{pid}/exe", os.O_PATH | os.O_CLOEXEC)
        return open_in_root(f"{proc}/{pid}/root", wanted.path)
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return None


def _is_executable(link: str, path: str) -> bool:
    return _bare(os.readlink(link)) == _bare(path)


def _bare(path: str) -> str:
    """A path as the kernel shows it, without its marks: `/memfd:x (deleted)` and `memfd:x` are one."""
    bare = path.removesuffix(" (deleted)")
    return bare[1:] if bare.startswith("/memfd:") else bare


def open_in_root(root: str, path: str) -> int:
    """Opens with links resolved inside `root`: a container must not lead us to a file of the host."""
    if not path.startswith("/"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = (ctypes.c_uint64 * 3)(os.O_PATH | os.O_CLOEXEC, 0, IN_ROOT | NO_MAGIC)
        fd = LIBC.syscall(OPENAT2, base, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        return fd
    finally:
        os.close(base)


def _readable(fd: int) -> int:
    """The same file for reading, if it is a regular one: opening a device may do something."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Unread("no regular file")
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(fd)
