"""Trace files: the recorded stream, in blocks of compressed frames.

`wire.blocks` has the layout of the file. A data block is the zstd-compressed sequence of ``length u32 · frame`` with
the frames of `wire.codec`. A killed recorder loses at most what came since the last block: `block_frames` records or
`block_bytes` bytes, or what came since the last `flush()`, which the recorder calls every few seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from wire import codec
from wire.blocks import DATA, Block, BlockWriter, Damage, Kind, TraceError, decompress, read_blocks, read_head
from wire.records import Head, Record

__all__ = ["FORMAT", "KIND", "Reader", "Report", "TraceError", "Writer", "head", "read", "verify"]

FORMAT = 1
KIND = Kind(b"DRIFTTR\n", FORMAT, "driftline trace")
LENGTH = struct.Struct("<I")
CREATOR = "driftline"


class Writer:
    """Appends records to a new trace file, which replaces one of the same name.

    Args:
        path: where the file goes; it appears there once its first record is known, with a complete head.
        level: zstd level; 3 is quick, 19 small.
        block_frames, block_bytes: a block is closed when it has this much; also the most that a kill loses.
    Raises:
        TraceError: The disk is full, or the place cannot be written; the file ends with its last whole block.
    """

    def __init__(self, path: str | Path, *, level: int = 3, block_frames: int = 512, block_bytes: int = 1 << 18):
        self.path = Path(path)
        self.records = 0
        self._compress = zstandard.ZstdCompressor(level=level).compress
        self._limits = block_frames, min(block_bytes, codec.LIMIT)
        self._file: BlockWriter | None = None
        self._frames: list[bytes] = []
        self._bytes = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        # After an error the end block would claim a whole recording.
        self.close() if kind is None else self.abandon()

    def add(self, record: Record) -> None:
        """Append one record."""
        if self._file is None:
            self._begin(record)
        frame = codec.encode(record)
        if len(frame) > codec.LIMIT:
            raise TraceError(f"{self.path}: a record of {len(frame)} bytes, the limit is {codec.LIMIT}; leave it out")
        self._frames.append(LENGTH.pack(len(frame)) + frame)
        self._bytes += len(frame) + LENGTH.size
        self.records += 1
        if len(self._frames) >= self._limits[0] or self._bytes >= self._limits[1]:
            self.flush()

    def _begin(self, first: Record | None) -> None:
        shown = codec.encode(first) if isinstance(first, Head) else None
        self._file = BlockWriter(self.path, KIND, {"created_by": CREATOR, "codec": codec.VERSION, "head": shown})

    def flush(self) -> None:
        """Write what is waiting as a block: from here on a kill of this process does not lose it."""
        if not self._frames or self._file is None:
            return
        raw, count = b"".join(self._frames), len(self._frames)
        self._frames, self._bytes = [], 0
        self._file.add(self._compress(raw), raw=len(raw), count=count)

    def close(self) -> None:
        """Flush, mark the file as complete, bring it to the disk. A second call does nothing."""
        if self._file is None:
            self._begin(None)
        try:
            self.flush()
        except TraceError:
            self.abandon()
            raise
        self._file.close()

    def abandon(self) -> None:
        """Close without the end block; what was flushed stays readable."""
        if self._file is not None:
            self._file.abandon()


class Reader(Iterator[Record]):
    """The records of a trace file, oldest first; `damage` counts what could not be read, also while reading."""

    def __init__(self, path: str | Path, *, salvage: bool = False):
        self.path = Path(path)
        self.salvage = salvage
        self.damage = Damage()
        self.frames = self.blocks = 0
        self._file = _open(self.path)
        try:
            self.format, self.head = read_head(self._file, self.path, KIND)
        except TraceError:
            self._file.close()
            raise
        self._records = self._all()

    def __next__(self) -> Record:
        return next(self._records)

    def _all(self) -> Iterator[Record]:
        unpacker = zstandard.ZstdDecompressor()
        with self._file:
            for block in read_blocks(self._file, self.path, self.damage, salvage=self.salvage):
                if block.kind == DATA:  # another kind is an addition that this format allows
                    yield from self._block(block, unpacker)

    def _block(self, block: Block, unpacker: zstandard.ZstdDecompressor) -> Iterator[Record]:
        """Every record before the damage in a block, if there is any."""
        try:
            for frame in _frames(decompress(block.stored, block.raw, unpacker), block.count):
                record = codec.decode(frame)
                self.frames += 1
                yield record
        except (codec.FrameError, ValueError) as e:
            self._refuse(block, e)
        else:
            self.blocks += 1

    def _refuse(self, block: Block, e: Exception) -> None:
        what = f"block {block.sequence} is damaged inside its checksum ({e})"
        self.damage.add(what)
        self.damage.blocks += 1
        if not self.salvage:
            raise TraceError(f"{self.path}: {what}; rerun with --salvage") from e


def _frames(raw: bytes, count: int) -> Iterator[bytes]:
    at = 0
    for _ in range(count):
        if at + LENGTH.size > len(raw):
            raise ValueError("fewer frames than announced")
        (length,) = LENGTH.unpack_from(raw, at)
        at += LENGTH.size + length
        if at > len(raw):
            raise ValueError("a frame is longer than its block")
        yield raw[at - length : at]
    if at != len(raw):
        raise ValueError("more bytes than frames")


def _open(path: Path) -> Any:
    try:
        return open(path, "rb")
    except OSError as e:
        raise TraceError(f"{path}: cannot be opened: {e.strerror}; check the path") from e


def read(path: str | Path, salvage: bool = False) -> Reader:
    """The records of a trace file. A file without its end block (a killed recorder) reads to its last block.

    Raises:
        TraceError: At once if this is no trace or a newer one; at damage, after everything before it was given out.
            With `salvage`, damaged blocks are left out and counted in `.damage` instead.
    """
    return Reader(path, salvage=salvage)


def head(path: str | Path) -> Head | None:
    """The first record, from the head of the file alone; None where the stream did not begin with a Head."""
    reader = Reader(path)
    with reader._file:
        shown = reader.head.get("head")
    try:
        found = codec.decode(shown) if isinstance(shown, bytes) else None
    except codec.FrameError as e:
        raise TraceError(f"{path}: the head is damaged ({e}); `driftline trace verify` shows the rest") from e
    return found if isinstance(found, Head) else None


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found."""

    frames: int
    blocks: int
    damaged: int  # stretches that cannot be read
    lost: int  # blocks known to be lost
    skipped: int  # bytes that belong to no readable block
    first_time: float | None  # seconds since the epoch, event time; None without any timed record
    last_time: float | None
    format: int
    complete: bool  # closed by its writer and undamaged
    places: tuple[str, ...] = ()  # where the damage is, at most 20


def verify(path: str | Path) -> Report:
    """Read everything, say what is whole. Raises TraceError only if the file is no trace, or newer."""
    reader = Reader(path, salvage=True)
    first = last = None
    for record in reader:
        time = _time(record)
        first = time if first is None or time < first else first
        last = time if last is None or time > last else last
    d = reader.damage
    counts = reader.frames, reader.blocks, d.regions, d.blocks, d.skipped
    return Report(*counts, first, last, reader.format, d.complete and not d.regions, tuple(d.places))


def _time(record: Record) -> float:
    return record.time if hasattr(record, "time") else record.end
