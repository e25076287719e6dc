"""The blocks of a .scap file. Lengths come first, so what is unknown is stepped over safely.

A block is ``type u32 · length u32 · body · length u32``. An event's body is ``cpu u16 · [flags u32] · time u64 ns · tid
u64 · length u32 · type u16 · [number of parameters u32] · lengths of the parameters · parameters``. Format facts from
the public sources of falcosecurity/libs; captures may be gzip-compressed.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wire.blocks import TraceError

SECTION = 0x0A0D0D0A
ORDER = 0x1A2B3C4D
MACHINE = {0x201, 0x8002ABCD}
PROCESSES = {0x202: 1, 0x207: 2, 0x209: 3, 0x210: 4, 0x211: 5, 0x212: 6, 0x213: 7, 0x214: 8, 0x215: 9}
PROCESSES |= {0x8000ABCD: 1, 0x8013ABCD: 2, 0x8014ABCD: 3}
# type → bytes before the event, version, bytes of a length
EVENTS = {0x204: (2, 1, 2), 0x8010ABCD: (2, 1, 2), 0x208: (6, 1, 2)}
EVENTS |= {0x216: (2, 2, 2), 0x217: (6, 2, 2), 0x221: (2, 2, 4), 0x222: (6, 2, 4)}
BLOCK = struct.Struct("<II")
EVENT = struct.Struct("<QQIH")
LARGEST = 64 << 20  # bytes of a block
PARAMS = 256  # parameters of an event
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event as it stands in the file."""

    kind: int
    time: int  # ns since the epoch
    tid: int
    params: list[bytes]


@dataclass(slots=True)
class Process:
    """One thread, from a process list or from what was seen of it."""

    tid: int
    pid: int
    ptid: int  # the parent's thread
    comm: str = ""
    exe: str = ""  # argv[0]
    path: str = ""  # of the image; "" where unknown
    cwd: str = ""
    cgroups: bytes = b""
    uid: int = -1
    thread: bool = False  # not the first of its process


def opened(path: Path) -> BinaryIO:
    """The capture, decompressed. Raises TraceError."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
        zipped = file.read(2) == GZIP
        file.seek(0)
    except OSError as e:
        raise TraceError(f"{path}: cannot be opened: {e.strerror}; check the path") from e
    return gzip.open(file, "rb") if zipped else file


def blocks(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """Type and body of every block. TraceError at damage, after everything before it."""
    number = 0
    while True:
        header = _exactly(file, BLOCK.size, path, number, may_end=True)
        if not header:
            return
        kind, length = BLOCK.unpack(header)
        if number == 0 and kind != SECTION:
            raise TraceError(f"{path}: not a .scap capture; its first block is {kind:#x}; check the file")
        if not BLOCK.size + 4 <= length <= LARGEST:
            raise TraceError(
                f"{path}: block {number} claims {length} bytes; the capture is damaged; rerun with --salvage"
            )
        body = _exactly(file, length - BLOCK.size, path, number)
        if kind == SECTION:
            _check_section(body, path)
        yield kind, body[:-4]
        number += 1


def _exactly(file: BinaryIO, size: int, path: Path, number: int, *, may_end: bool = False) -> bytes:
    try:
        data = file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise TraceError(f"{path}: block {number} cannot be decompressed ({e}); rerun with --salvage") from e
    if len(data) < size and (data or not may_end):
        raise TraceError(f"{path}: block {number} is cut short; rerun with --salvage")
    return data


def _check_section(body: bytes, path: Path) -> None:
    if len(body) < 12:
        raise TraceError(f"{path}: the section header is too short; the capture is damaged; rerun with --salvage")
    order, major = struct.unpack_from("<IH", body)
    if order != ORDER:
        raise TraceError(f"{path}: written on a big-endian machine or damaged; convert it on such a machine first")
    if major != 1:
        raise TraceError(f"{path}: .scap format {major}, this driftline reads format 1; please update")


def hostname(body: bytes) -> str:
    """The machine's name in a machine block; "" where there is none."""
    return text(body[20:148].partition(b"\0")[0])


def text(raw: bytes) -> str:
    """A string parameter: up to its NUL, undecodable bytes as backslash escapes."""
    return raw.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def event(block: int, body: bytes) -> RawEvent | None:
    """The event of an event block; None if its lengths contradict each other."""
    before, version, wide = EVENTS[block]
    if len(body) < before + EVENT.size:
        return None
    time, tid, length, kind = EVENT.unpack_from(body, before)
    at = before + EVENT.size
    # A pcapng comment may follow the event, so the event's own length counts, not the block's.
    end = before + length
    if end > len(body) or end < at:
        return None
    params = _params(body, at, end, wide) if version == 2 else _counted(body, at, end)
    return None if params is None else RawEvent(kind, time, tid, params)


def _params(body: bytes, at: int, end: int, wide: int) -> list[bytes] | None:
    if at + 4 > end:
        return None
    (count,) = struct.unpack_from("<I", body, at)
    at += 4
    if count > PARAMS or at + count * wide > end:
        return None
    lengths = struct.unpack_from(f"<{count}{'HI'[wide == 4]}", body, at)
    return _sliced(body, at + count * wide, end, lengths)


def _sliced(body: bytes, at: int, end: int, lengths: tuple[int, ...]) -> list[bytes] | None:
    params = []
    for length in lengths:
        params.append(body[at : at + length])
        at += length
    return params if at <= end else None


def _counted(body: bytes, at: int, end: int) -> list[bytes] | None:
    """Parameters of the first version, which does not say how many: the one number whose lengths fit exactly."""
    lengths = struct.unpack_from(f"<{min((end - at) // 2, PARAMS)}H", body, at)
    need, count = at, 0
    while need < end and count < len(lengths):
        need += 2 + lengths[count]
        count += 1
    return _sliced(body, at + 2 * count, end, lengths[:count]) if need == end else None


class _Fields:
    """Fields of a process entry, one after the other. Raises IndexError past the end."""

    def __init__(self, body: bytes, at: int):
        self.body = body
        self.at = at

    def number(self, size: int) -> int:
        return int.from_bytes(self.raw(size), "little")

    def string(self) -> bytes:
        return self.raw(self.number(2))

    def raw(self, size: int) -> bytes:
        if self.at + size > len(self.body):
            raise IndexError("past the end")
        self.at += size
        return self.body[self.at - size : self.at]


def processes(version: int, body: bytes) -> Iterator[Process]:
    """Threads of a process list, of any of its nine versions; ends at the first entry that does not fit."""
    at = 0
    while at + 4 <= len(body):
        try:
            found, end = _process(version, _Fields(body, at))
        except IndexError:
            return
        if end <= at:
            return
        yield found
        at = end


def _process(version: int, f: _Fields) -> tuple[Process, int]:
    start = f.at
    length = f.number(4) if version >= 9 else 0
    tid, pid, ptid = (f.number(8) for _ in range(3))
    f.raw((8 if version >= 6 else 0) + (8 if version >= 8 else 0))  # session and process group
    comm, exe = text(f.string()), text(f.string())
    path = text(f.string()) if version >= 7 else ""
    f.string()  # arguments
    cwd = text(f.string())
    f.raw(12)  # limit of open files, flags
    uid = f.number(4)
    f.raw(4 + (28 if version >= 2 else 0))  # gid; memory and page faults
    if version >= 3:
        f.string()  # environment
    cgroups = b""
    if version >= 4:
        f.raw(16)  # ids inside the namespace
        cgroups = f.string()
    if version >= 5:
        f.string()  # root
    # Newer writers append fields; the entry's own length steps over them.
    end = start + length if length else f.at
    return Process(tid, pid, ptid, comm, exe, path, cwd, cgroups, uid, thread=tid != pid), end
