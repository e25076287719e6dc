"""Files as a process sees them: through its root, so that a container's links and pipes lead nowhere else."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MEMBERS = 8  # processes of a cgroup that are tried
OPENAT2 = 437  # system call, the same number on every architecture
IN_ROOT, NO_MAGIC = 0x10, 0x02  # RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS of linux/openat2.h
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as a process sees it.

    With `cgroup`, the directory of the process's cgroup, only a process that is in it now is looked at, so a pid
    used anew does no harm; and where `pid` has exited, another process of the cgroup shows the same root.
    """

    pid: int
    path: str
    cgroup: Path | None


class Unread(Exception):
    """Why it is not read: "gone", "unstable", "too large", "no regular file" or "unreadable"."""


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
        if wanted.cgroup is None or pid in listed(wanted.cgroup):  # still the same process
            return fd
        os.close(fd)
    raise Unread("gone")


def _members(wanted: Wanted) -> list[int]:
    """Processes to look through: the one that ran the file first."""
    if wanted.cgroup is None:
        return [wanted.pid]
    members = listed(wanted.cgroup)
    own = [wanted.pid] if wanted.pid in members else []
    return own + [pid for pid in members if pid != wanted.pid][:MEMBERS]


def listed(cgroup: Path | None) -> list[int]:
    """Processes of a cgroup; none where it has gone."""
    try:
        return [int(line) for line in (cgroup / "cgroup.procs").read_text().split()] if cgroup is not None else []
    except OSError:
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
