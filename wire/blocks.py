"""Files of checksummed, compressed blocks: what trace files and full captures have in common.

    file  = magic (8 bytes) · format u16 · flags u16 · length of head u32 · head (msgpack) · xxh3_64 of all before
    block = magic (8 bytes) · kind u8 · 3 zeros · sequence, stored, raw, count (u32 each) · xxh3_64 · payload

The checksum of a block covers its header and its stored payload. The last block of a file that was closed is of kind
`END`; without it the file is incomplete but readable to its end. A damaged file is readable up to the damage, and past
it with `salvage`, which looks for the next block's magic. Nothing here reads a clock: equal content gives equal bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import xxhash
import zstandard

FILE = struct.Struct("<8sHHI")
BLOCK = struct.Struct("<8sB3xIIII")  # followed by the checksum
SUM = struct.Struct("<Q")
BLOCK_MAGIC = b"\xd1DLblk\r\n"
DATA, END = 1, 2
RAW_LIMIT = 32 << 20  # bytes of one block before compression; more is damage or a decompression bomb
STORED_LIMIT = RAW_LIMIT + (1 << 20)
HEAD_LIMIT = 1 << 20
PATIENCE = 16  # times the size of a file that salvage may read again because of false magics: hostile files end
CHUNK = 1 << 20  # bytes read at a time while looking for the next block


class TraceError(Exception):
    """A file that cannot be read or written as asked; says where, what, and what to do."""


Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its magic, the newest format that this program reads, and the steps from older ones."""

    magic: bytes
    format: int
    name: str  # for messages
    upgrades: dict[int, Upgrade] = field(default_factory=dict)  # format → step of the head to the next format


@dataclass(frozen=True, slots=True)
class Block:
    """One block as it is in the file; `payload` is decompressed on demand."""

    kind: int
    sequence: int
    count: int  # frames or rows
    raw: int  # bytes after decompression
    stored: bytes


@dataclass(slots=True)
class Damage:
    """What a reader could not read. Loss is a number."""

    places: list[str] = field(default_factory=list)  # the first `PLACES` of them, in words
    regions: int = 0  # stretches of the file that are damaged
    skipped: int = 0  # bytes
    blocks: int = 0  # blocks known to be lost, by their sequence numbers
    complete: bool = False  # whether the end block was read and every block before it

    PLACES = 20

    def add(self, what: str) -> None:
        self.regions += 1
        if len(self.places) < self.PLACES:
            self.places.append(what)


class BlockWriter:
    """Writes a file of blocks. The file appears under its name with a complete head or not at all."""

    def __init__(self, path: str | Path, kind: Kind, head: dict[str, Any]):
        self.path = Path(path)
        self.sequence = 0
        self.total = 0  # frames or rows
        self._good = 0  # bytes that are whole blocks
        self._file = self._begin(kind, head)

    def _begin(self, kind: Kind, head: dict[str, Any]) -> BinaryIO:
        packed = msgpack.packb(head, use_bin_type=True)
        start = FILE.pack(kind.magic, kind.format, 0, len(packed)) + packed
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise TraceError(f"{self.path} is no regular file and is not replaced; choose another place with -o")
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            file = open(part, "wb", buffering=0)  # noqa: SIM115 - it lives as long as the writer
            self._write_to(file, start + SUM.pack(xxhash.xxh3_64_intdigest(start)))
            os.replace(part, self.path)
        except OSError as e:
            part.unlink(missing_ok=True)
            raise self._failure(e) from e
        return file

    def add(self, stored: bytes, *, raw: int, count: int, kind: int = DATA) -> None:
        """Append one block. After an error the file ends with the last whole block."""
        header = BLOCK.pack(BLOCK_MAGIC, kind, self.sequence, len(stored), raw, count)
        checksum = xxhash.xxh3_64(header)
        checksum.update(stored)
        try:
            self._write_to(self._file, b"".join((header, SUM.pack(checksum.intdigest()), stored)))
        except OSError as e:
            with contextlib.suppress(OSError):  # then the file ends in a cut block, which readers report
                self._file.truncate(self._good)
            raise self._failure(e) from e
        self.sequence += 1
        self.total += count

    def _write_to(self, file: BinaryIO, data: bytes) -> None:
        view = memoryview(data)
        while view:  # an unbuffered write may be short, above all on a disk that is filling up
            view = view[file.write(view) :]
        self._good += len(data)

    def _failure(self, e: OSError) -> TraceError:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            done = f"{self.total} records in {self.sequence} blocks are safe"
            return TraceError(f"{self.path}: the disk is full; {done}; free space or choose another place with -o")
        return TraceError(f"{self.path}: cannot write: {e.strerror}; choose another place with -o")

    def sync(self) -> None:
        """Bring the blocks to the disk, so that a power cut cannot take them."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Add the end block and close; a second call does nothing."""
        if self._file.closed:
            return
        try:
            end = msgpack.packb({"blocks": self.sequence, "count": self.total})
            self.add(end, raw=len(end), count=0, kind=END)
            self.sync()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close without an end block: what was written stays readable, and shows that it is incomplete."""
        self._file.close()


def read_head(file: BinaryIO, path: str | Path, kind: Kind) -> tuple[int, dict[str, Any]]:
    """Format and head of an open file, the head brought up to today's format. Raises TraceError."""
    start = file.read(FILE.size)
    if len(start) < FILE.size or not start.startswith(kind.magic):
        raise TraceError(f"{path}: not a {kind.name}; `driftline trace import` reads captures of other tools")
    _, version, _, length = FILE.unpack(start)
    if version > kind.format:
        raise TraceError(f"{path}: format {version}, this driftline reads up to {kind.format}; please update")
    body = file.read(length + SUM.size) if length <= HEAD_LIMIT else b""
    if len(body) < length + SUM.size or SUM.unpack(body[length:])[0] != xxhash.xxh3_64_intdigest(start + body[:length]):
        raise TraceError(f"{path}: the head is damaged or cut short; restore the file from a copy")
    return version, _upgraded(body[:length], version, path, kind)


def _upgraded(packed: bytes, version: int, path: str | Path, kind: Kind) -> dict[str, Any]:
    try:
        head = msgpack.unpackb(packed)
        for step in range(version, kind.format):
            head = kind.upgrades[step](head)
        return dict(head)
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as e:
        raise TraceError(f"{path}: the head of format {version} cannot be read ({e}); please update") from e


def read_blocks(file: BinaryIO, path: str | Path, damage: Damage, *, salvage: bool = False) -> Iterator[Block]:
    """Data blocks from the current place of the file on.

    Without `salvage`, TraceError at the first damage, after everything before it; with it, `damage` counts the loss.
    """
    expected = 0
    patience = PATIENCE * os.fstat(file.fileno()).st_size
    while True:
        at = file.tell()
        found, wrong = _next(file)
        wrong = wrong or _misplaced(found, expected)
        if not wrong and (found is None or found.kind == END):
            damage.complete = found is not None and not damage.regions
            return
        if wrong and not salvage:
            raise TraceError(f"{path}: block {expected} {wrong}; rerun with --salvage")
        if wrong:
            damage.add(f"block {expected} at byte {at} {wrong}")
        if found is None:
            patience -= file.tell() - at
            damage.skipped += _skip(file, at + 1)
            if patience < 0:
                raise TraceError(f"{path}: too many false blocks to salvage more; restore the file from a copy")
        elif found.sequence >= expected:
            damage.blocks += found.sequence - expected
            expected = found.sequence + 1
            if found.kind == END:
                return
            yield found


def _misplaced(found: Block | None, expected: int) -> str:
    if found is None or found.sequence == expected:
        return ""
    return "is missing" if found.sequence > expected else "is followed by an older one"


def _next(file: BinaryIO) -> tuple[Block | None, str]:
    """The block at the current place, or what is wrong there; neither at the end of the file."""
    header = file.read(BLOCK.size + SUM.size)
    if not header:
        return None, ""
    if len(header) < BLOCK.size + SUM.size:
        return None, "is cut short"
    magic, kind, sequence, length, raw, count = BLOCK.unpack_from(header)
    if magic != BLOCK_MAGIC or length > STORED_LIMIT or raw > RAW_LIMIT:
        return None, "is damaged"
    stored = file.read(length)
    if len(stored) < length:
        return None, "is cut short"
    checksum = xxhash.xxh3_64(header[: BLOCK.size])
    checksum.update(stored)
    if SUM.unpack_from(header, BLOCK.size)[0] != checksum.intdigest():
        return None, "is damaged"
    return Block(kind, sequence, count, raw, stored), ""


def _skip(file: BinaryIO, start: int) -> int:
    """Go to the next block's magic from `start` on, or to the end; the bytes passed over, counted from `start` - 1."""
    at = start
    while True:
        file.seek(at)
        chunk = file.read(CHUNK)
        hit = chunk.find(BLOCK_MAGIC)
        if hit >= 0 or len(chunk) < CHUNK:
            goal = at + (hit if hit >= 0 else len(chunk))
            file.seek(goal)
            return goal - start + 1
        at += CHUNK - len(BLOCK_MAGIC)


def decompress(stored: bytes, raw: int, codec: zstandard.ZstdDecompressor) -> bytes:
    """A payload of exactly `raw` bytes. Raises ValueError: a checksum shows accidents, it does not stop a forger."""
    try:
        if raw > RAW_LIMIT or zstandard.frame_content_size(stored) != raw:
            raise ValueError("the sizes of a block disagree")
        return codec.decompress(stored)
    except zstandard.ZstdError as e:
        raise ValueError(str(e)) from e
