"""A process to the files that it runs code from, and each file to what can be watched in it.

A file is known by device, inode, size and time of change, so one look serves all processes and containers that share it.
It is opened through the process's own mapping, so it is the file that runs, whatever its path names now. A file on FUSE is not
opened: whoever serves it could hold the sensor.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sensor.probes.symbols import Elf, ElfError

LINE = re.compile(rb"^([0-9a-f]+-[0-9a-f]+) ..x. [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([1-9]\d*) +(/[^\n]*)$", re.M)
READS, WRITES = ("SSL_read", "SSL_read_ex"), ("SSL_write", "SSL_write_ex")
FUNCTIONS = frozenset((*READS, *WRITES, "SSL_new", "SSL_free"))
WORDS = b"c ap traffic"  # a label of TLS 1.3's key schedule, which every implementation holds (RFC 8446, 7.1)
SEARCH = 512 << 20  # bytes of one file that are searched for them at most
FILES = 1024  # mapped files of one process that are looked at
NAME = 256  # characters of a path that are kept


GONE = (FileNotFoundError, ProcessLookupError)  # what /proc says of a process that exited


class Mapping(NamedTuple):
    """A file that a process has mapped as code."""

    device: str  # as /proc spells it
    inode: int
    span: str  # of addresses
    path: str  # as the process named it; a workload chose it


Key = tuple[int, int, int, int]  # device, inode, size, ns of the last change


@dataclass(slots=True)
class Library:
    """What is known of one file."""

    key: Key
    path: str
    functions: dict[str, int] = field(default_factory=dict)  # name → offset in the file
    build_id: str = ""
    speaks: bool | None = None  # whether TLS is implemented in it; None: not searched yet
    unread: str = ""  # why it could not be looked into

    @property
    def has_both(self) -> bool:
        """Whether what is read and what is written can be watched."""
        return any(n in self.functions for n in READS) and any(n in self.functions for n in WRITES)


def mapped(pid: int, proc: Path = Path("/proc")) -> list[Mapping]:
    """Files that a process runs code from, each once; none where it is gone.

    Raises:
        OSError: That cannot be found out now, e.g. for want of descriptors.
    """
    try:
        text = (proc / str(pid) / "maps").read_bytes()
    except GONE:
        return []
    found: dict[tuple[bytes, bytes], Mapping] = {}
    for span, device, inode, path in LINE.findall(text):
        if len(found) < FILES and (device, inode) not in found:
            found[device, inode] = Mapping(
                device.decode(), int(inode), span.decode(), path.decode(errors="backslashreplace")[:NAME]
            )
    return list(found.values())


def opened(pid: int, mapping: Mapping, proc: Path = Path("/proc")) -> BinaryIO:
    """The file of a mapping.

    Raises:
        OSError: It cannot be opened, or is another one by now; the text says why.
    """
    home = proc / str(pid)
    last: OSError = FileNotFoundError("its mapping is gone")
    for way in (home / "map_files" / mapping.span, home / "exe", home / "root" / mapping.path.lstrip("/")):
        try:
            file = open(way, "rb", buffering=0, opener=_careful)  # noqa: SIM115 - the caller closes it
        except OSError as e:
            last = e
            continue
        found = os.fstat(file.fileno())
        if found.st_ino == mapping.inode and stat.S_ISREG(found.st_mode):
            return file
        file.close()
    raise last


def _careful(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def fuse_devices(pid: int, proc: Path = Path("/proc")) -> set[str]:
    """Devices of a process's mounts that a program serves."""
    try:
        lines = (proc / str(pid) / "mountinfo").read_bytes().splitlines()
    except OSError:
        return set()
    rows = [(line.split(b" ", 3), line.rpartition(b" - ")[2]) for line in lines]
    return {_as_maps(head[2].decode()) for head, tail in rows if len(head) > 3 and tail.startswith(b"fuse")}


def _as_maps(device: str) -> str:
    """`8:1` as /proc/PID/maps spells it: `08:01`."""
    major, _, minor = device.partition(":")
    return f"{int(major):02x}:{int(minor):02x}"


class Shelf:
    """Every file that was looked into. Files that no process maps are forgotten by `keep`."""

    def __init__(self) -> None:
        self._known: dict[Key, Library] = {}

    def __len__(self) -> int:
        return len(self._known)

    def look(self, file: BinaryIO, path: str) -> Library:
        """What is known of an open file; its symbols are read at the first look."""
        key = key_of(file)
        if key not in self._known:
            self._known[key] = _inspected(file, key, path)
        return self._known[key]

    def keep(self, used: set[Key]) -> None:
        self._known = {k: v for k, v in self._known.items() if k in used}


def key_of(file: BinaryIO) -> Key:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _inspected(file: BinaryIO, key: Key, path: str) -> Library:
    try:
        elf = Elf(file)
        library = Library(key, path, elf.functions(FUNCTIONS), elf.build_id)
    except (ElfError, OSError) as e:
        return Library(key, path, speaks=False, unread=str(e))
    if library.has_both:
        library.speaks = True
    return library


def searched(file: BinaryIO, library: Library) -> Iterator[int]:
    """Finds out whether TLS is implemented in a file, piece by piece: yields the bytes that each step read."""
    size, library.speaks = 0, None
    try:
        for piece in Elf(file).constants(len(WORDS) - 1):
            size += len(piece)
            if WORDS in piece:
                library.speaks = True
                return
            if size > SEARCH:
                library.unread = f"searched only its first {SEARCH >> 20} MiB"
                break
            yield len(piece)
    except (ElfError, OSError) as e:
        library.unread = str(e)
    library.speaks = False
