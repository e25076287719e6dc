"""Frames that wait on disk while the classifier is away: segments in a folder, bounded, oldest given out first.

A segment is a file of ``length u32 · crc u32 · number u64 · epoch length u8 · epoch · frame``. It stays until all its
frames were acknowledged, so a sender that is killed loses nothing of it; what it sends twice, the receiver knows by its
number. A spool that is full forgets the windows, events and ticks of its oldest segment and keeps who is who; only
when that is not enough, whole segments go.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wire import codec
from wire.records import Event, Record, Tick, Window

HEAD = struct.Struct("<IIQB")
FIRST = 10**9  # number of the first segment, so that there is room before it
SEGMENT = 1 << 20  # bytes after which a new segment begins
FORGOTTEN_FIRST = (Window, Event, Tick)


@dataclass(frozen=True, slots=True)
class Queued:
    """A frame that has its number."""

    epoch: str
    number: int
    frame: bytes


class Spool:
    """The folder. `lost` is called with every record that is forgotten and the reason.

    Args:
        limit: bytes on disk; at least two segments.
    Raises:
        OSError: The folder cannot be made or written.
    """

    def __init__(self, folder: Path, limit: int, lost: Callable[[bytes, str], None]):
        self._folder, self._limit, self._lost = folder, max(limit, 2 * SEGMENT), lost
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in folder.glob("*.part"):  # a compaction that was cut short; its source is still there
            part.unlink()
        self._sizes = {int(p.stem): p.stat().st_size for p in sorted(folder.glob("*.frames"))}
        self._compact: set[int] = set()
        self._reading: int | None = None  # segment whose frames were given out
        self._last = max(self._sizes, default=FIRST)
        self._sealed = True  # what an earlier process wrote is never continued: its end may be torn

    def __bool__(self) -> bool:
        """Whether a segment waits that was not given out."""
        return any(n != self._reading for n in self._sizes)

    @property
    def taken(self) -> bool:
        """Whether a segment was given out and not released."""
        return self._reading is not None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    def append(self, frames: Iterable[Queued]) -> None:
        """Write frames behind all others.

        Raises:
            OSError: The disk is full or failing; nothing of `frames` counts as written.
        """
        data = b"".join(map(_written, frames))
        if self._sealed or self._sizes.get(self._last, 0) > SEGMENT or self._last == self._reading:
            self._last, self._sealed = self._last + 1, False
        try:
            _append(self._path(self._last), data)
        except OSError:
            self._sealed = True
            self._cut()
            raise
        self._sizes[self._last] = self._sizes.get(self._last, 0) + len(data)
        self._shrink()

    def _cut(self) -> None:
        """What was written in part must not be told twice: as lost, and by arriving after all."""
        with contextlib.suppress(OSError):  # then a torn end stands there, which the reader reports
            os.truncate(self._path(self._last), self._sizes.get(self._last, 0))
            if self._last not in self._sizes:
                self._path(self._last).unlink()

    def prepend(self, frames: Iterable[Queued]) -> None:
        """Write frames before all others.

        Raises:
            OSError: The disk is full or failing.
        """
        number = min(self._sizes, default=self._last + 1) - 1
        data = b"".join(map(_written, frames))
        _append(self._path(number), data)
        self._sizes[number] = len(data)

    def take(self) -> list[Queued]:
        """The frames of the oldest segment; it stays on disk until `release`."""
        self._reading = min(self._sizes, default=None)
        return [] if self._reading is None else list(self._read(self._reading))

    def release(self) -> None:
        """Every frame of the segment that was taken is acknowledged."""
        if self._reading is not None:
            self._remove(self._reading)
            self._reading = None

    def _shrink(self) -> None:
        while self.size > self._limit:
            waiting = [n for n in sorted(self._sizes) if n not in (self._reading, self._last)]
            fresh = [n for n in waiting if n not in self._compact]
            if not waiting:
                return
            if fresh:
                self._forget(fresh[0])
            else:
                self._drop(waiting[0])

    def _forget(self, number: int) -> None:
        """Rewrite a segment without what may be forgotten."""
        kept = []
        for queued in self._read(number):
            if is_forgotten_first(queued.frame):
                self._lost(queued.frame, "spool full")
            else:
                kept.append(queued)
        self._compact.add(number)
        if not kept:
            return self._remove(number)
        part = self._path(number).with_suffix(".part")
        try:
            _append(part, b"".join(map(_written, kept)))
        except OSError:  # no room even for less
            part.unlink(missing_ok=True)
            for queued in kept:
                self._lost(queued.frame, "spool disk")
            return self._remove(number)
        os.replace(part, self._path(number))
        self._sizes[number] = self._path(number).stat().st_size
        return None

    def _drop(self, number: int) -> None:
        for queued in self._read(number):
            self._lost(queued.frame, "spool full")
        self._remove(number)

    def _remove(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        self._sizes.pop(number, None)
        self._compact.discard(number)

    def _read(self, number: int) -> Iterator[Queued]:
        """Every whole frame up to the first damage, which is reported as one loss."""
        data, at = self._path(number).read_bytes(), 0
        if not data:  # none is begun without a frame
            self._lost(b"", "spool damaged")
        while at < len(data):
            queued, at = _parsed(data, at)
            if queued is None:
                self._lost(b"", "spool damaged")
                return
            yield queued

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.frames"


def is_forgotten_first(frame: bytes) -> bool:
    """Whether a frame is of the many that carry observations, and not of the few that say whose they are."""
    record = record_of(frame)
    return record is None or isinstance(record, FORGOTTEN_FIRST)


def record_of(frame: bytes) -> Record | None:
    """The record of a frame; None where it is damaged."""
    try:
        return codec.decode(frame)
    except (codec.FrameError, KeyError):  # KeyError: a format without an upgrade step
        return None


def _written(queued: Queued) -> bytes:
    epoch = queued.epoch.encode()
    check = zlib.crc32(queued.frame)
    return HEAD.pack(len(queued.frame), check, queued.number, len(epoch)) + epoch + queued.frame


def _parsed(data: bytes, at: int) -> tuple[Queued | None, int]:
    if at + HEAD.size > len(data):
        return None, at
    length, check, number, epoch_length = HEAD.unpack_from(data, at)
    begin = at + HEAD.size + epoch_length
    frame = data[begin : begin + length]
    if len(frame) != length or zlib.crc32(frame) != check:
        return None, at
    epoch = data[at + HEAD.size : begin].decode("utf-8", "replace")
    return Queued(epoch, number, frame), begin + length


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)
