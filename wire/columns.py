"""Full captures: one row per system call, column by column, in blocks of 65,536 rows.

The layout of the file, its checksums and its salvage are those of `wire.blocks`. In a block, each column is compressed by
itself, so a reader takes only what it needs:

    payload = flags u8 · first time u64 · for each column: name u8, encoding u8, raw u32, stored u32 · the columns

Rows come as the kernel's staged ring gives them, in batches of one processor, so thread and slot come in runs. Times are
differences, mostly below 65,535 ns; the few that are not stand apart (`ESCAPES`). Both choices cost 2-3 ns a row, as does
zstd at level 1; docs/performance.md has what was measured.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgpack
import numpy as np
import zstandard

from wire import codec
from wire.blocks import DATA, Block, BlockWriter, Damage, Kind, TraceError, decompress, read_blocks, read_head
from wire.records import Head, Identity

ROW = np.dtype([("time", "<u8"), ("tid", "<u4"), ("nr", "<u2"), ("slot", "<u2")])
ROWS = 1 << 16  # in a block
FORMAT = 1
KIND = Kind(b"DRIFTCO\n", FORMAT, "driftline full capture")
NAMES = 3  # kind of the block that names the slots
NOTES = 4  # kind of a block that says more of them; a later one replaces an earlier one
TIDS = 1 << 22  # the kernel's own limit of thread ids
START = struct.Struct("<BQ")
COLUMN = struct.Struct("<BBII")

TIME, ESCAPES, RUNS, TID, SLOT, NR, TABLE = range(7)  # columns; RUNS is absent where thread and slot stand row by row
ORDERED = 1  # flag: times do not fall within the block
WIDTHS = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8")}  # encodings are widths


class Writer:
    """Appends rows to a new capture.

    Args:
        path: where the file goes, with a complete head, at once.
        head: what the machine was, as in a trace.
        offset: ns to add to a row's time for ns since the epoch.
        level: zstd level; 1 keeps up with 5 million rows a second in a few percent of a core.
    Raises:
        TraceError: The disk is full, or the place cannot be written; the file ends with its last whole block.
    """

    def __init__(self, path: str | Path, *, head: Head | None = None, offset: int = 0, level: int = 1):
        shown = None if head is None else codec.encode(head)
        said = {"created_by": "driftline", "rows": ROWS, "head": shown, "offset": offset}
        self._file = BlockWriter(path, KIND, said)
        self._compress = zstandard.ZstdCompressor(level=level).compress
        self._rows = np.empty(ROWS, ROW)
        self._words = self._rows.view(np.uint64)
        self._count = 0
        self._names: dict[int, str] = {}
        self._identities: dict[int, bytes] = {}
        self._lost: dict[int, dict[str, int]] = {}
        self._noted = True
        self.rows = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.close() if kind is None else self._file.abandon()

    def add(self, batch: np.ndarray) -> None:
        """Append rows (an array of `ROW`). A kill loses at most the last 65,536 rows, or those since `flush()`."""
        at, words = 0, np.ascontiguousarray(batch, ROW).view(np.uint64)  # NumPy copies plain words 20 times faster
        while at < len(batch):
            size = min(len(batch) - at, ROWS - self._count)
            self._words[2 * self._count : 2 * (self._count + size)] = words[2 * at : 2 * (at + size)]
            self._count += size
            at += size
            if self._count == ROWS:
                self.flush()

    def name(self, slot: int, path: str) -> None:
        """Say whose rows a slot's are; a later name replaces an earlier one."""
        self._names[slot] = path

    def identify(self, slot: int, identity: Identity) -> None:
        """Say which replica a slot stands for; a later record replaces an earlier one."""
        self._identities[slot], self._noted = codec.encode(identity), False
        self.name(slot, identity.path)

    def lose(self, slot: int, reason: str, count: int) -> None:
        """Say how many rows of a slot are missing in all, and why; slot 0 stands for what belongs to none."""
        self._lost.setdefault(slot, {})[reason] = count
        self._noted = False

    def note(self) -> None:
        """Write what is new about slots, so that a kill does not lose it."""
        if self._noted:
            return
        packed = msgpack.packb({"identities": self._identities, "lost": self._lost})
        self._file.add(packed, raw=len(packed), count=0, kind=NOTES)
        self._noted = True

    def flush(self) -> None:
        """Write what is waiting as a block."""
        if not self._count:
            return
        rows, count = self._rows[: self._count], self._count
        payload, raw = _encoded(rows, self._compress)
        self._count = 0
        self._file.add(payload, raw=raw, count=count)
        self.rows += count

    def close(self) -> None:
        """Flush, add the names of the slots, mark the file as complete."""
        try:
            self.flush()
            self.note()
            if self._names:
                packed = msgpack.packb(dict(sorted(self._names.items())))
                self._file.add(packed, raw=len(packed), count=0, kind=NAMES)
                self._names = {}
        except TraceError:
            self._file.abandon()
            raise
        self._file.close()


def _encoded(rows: np.ndarray, compress) -> tuple[bytes, int]:
    """Payload of one block, and how many bytes its columns have before compression."""
    time = rows["time"].copy()  # one pass over the interleaved rows, then all work is on a plain column
    columns, ordered = _time_columns(time)
    columns += _thread_columns(rows["tid"], rows["slot"])
    columns += _number_columns(rows["nr"])
    stored = [compress(values) for _, values in columns]
    table = [
        COLUMN.pack(name, values.itemsize, values.nbytes, len(s))
        for (name, values), s in zip(columns, stored, strict=True)
    ]
    start = START.pack(ORDERED if ordered else 0, int(time[0])) + bytes([len(columns)])
    return b"".join((start, *table, *stored)), sum(values.nbytes for _, values in columns)


def _time_columns(time: np.ndarray) -> tuple[list[tuple[int, np.ndarray]], bool]:
    steps = np.zeros(len(time), np.uint64)
    np.subtract(time[1:], time[:-1], out=steps[1:])  # a step back becomes a huge step, which adds up again
    most = int(steps.max())
    if most < 0xFFFF:
        return [(TIME, steps.astype(WIDTHS[1 if most < 0x100 else 2]))], True
    mask = np.uint64(0xFFFF)
    far = np.flatnonzero(steps >= mask)
    if len(far) * 8 > len(steps):
        return [(TIME, steps.astype(WIDTHS[4 if most < 1 << 32 else 8]))], most < 1 << 63
    escapes = steps[far]
    steps[far] = mask
    return [(TIME, steps.astype(WIDTHS[2])), (ESCAPES, escapes)], most < 1 << 63


def _thread_columns(tid: np.ndarray, slot: np.ndarray) -> list[tuple[int, np.ndarray]]:
    change = np.flatnonzero((tid[1:] != tid[:-1]) | (slot[1:] != slot[:-1])) + 1
    if len(change) * 4 > len(tid):
        return [(TID, np.ascontiguousarray(tid)), (SLOT, np.ascontiguousarray(slot))]
    starts = np.concatenate(([0], change))
    lengths = np.diff(starts, append=len(tid)) - 1
    return [(RUNS, lengths.astype(WIDTHS[2])), (TID, tid[starts]), (SLOT, slot[starts])]


def _number_columns(nr: np.ndarray) -> list[tuple[int, np.ndarray]]:
    nr = np.ascontiguousarray(nr)
    most = int(nr.max())
    if most < 256:
        return [(NR, nr.astype(WIDTHS[1]))]
    there = np.zeros(most + 1, np.bool_)
    there[nr] = True
    present = np.flatnonzero(there)
    if len(present) > 256:
        return [(NR, nr)]
    codes = np.zeros(most + 1, WIDTHS[1])
    codes[present] = np.arange(len(present))
    return [(NR, codes.take(nr)), (TABLE, present.astype(WIDTHS[2]))]


@dataclass(slots=True)
class Columns:
    """One block; each column is decompressed when it is asked for. Raises ValueError if columns disagree."""

    rows: int
    ordered: bool
    _first: int
    _places: dict[int, tuple[int, int, int, int]]  # column → width, raw, start, end
    _payload: bytes
    _codec: zstandard.ZstdDecompressor

    def _column(self, name: int) -> np.ndarray:
        width, raw, start, end = self._places[name]
        return np.frombuffer(decompress(self._payload[start:end], raw, self._codec), WIDTHS[width])

    def _full(self, name: int) -> np.ndarray:
        return _sized(self._column(name), self.rows)

    def lengths(self) -> np.ndarray | None:
        """Rows in each run of one thread and slot; None where they stand row by row."""
        if RUNS not in self._places:
            return None
        lengths = self._column(RUNS).astype(np.int64) + 1
        if int(lengths.sum()) != self.rows:
            raise ValueError("runs and rows disagree")
        return lengths

    def threads(self, name: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Thread ids or slots, by run with the runs' lengths, or by row."""
        lengths = self.lengths()
        return _sized(self._column(name), self.rows if lengths is None else len(lengths)), lengths

    def numbers(self) -> np.ndarray:
        """Call numbers, row by row."""
        codes = self._full(NR)
        if TABLE not in self._places:
            return codes
        table = self._column(TABLE)
        if int(codes.max()) >= len(table):
            raise ValueError("a call number is not in the block's table")
        return table[codes]

    def times(self) -> np.ndarray:
        """Nanoseconds, row by row, in the clock of the capture."""
        steps = self._full(TIME).astype(np.uint64)
        if ESCAPES in self._places:
            far = np.flatnonzero(steps == 0xFFFF)
            steps[far] = _sized(self._column(ESCAPES), len(far))
        steps[0] += np.uint64(self._first)
        return np.cumsum(steps, dtype=np.uint64)

    def array(self) -> np.ndarray:
        """The rows as they were written."""
        rows = np.empty(self.rows, ROW)
        rows["time"], rows["nr"] = self.times(), self.numbers()
        for field, name in (("tid", TID), ("slot", SLOT)):
            values, lengths = self.threads(name)
            rows[field] = values if lengths is None else np.repeat(values, lengths)
        return rows


def _sized(values: np.ndarray, size: int) -> np.ndarray:
    if len(values) != size:
        raise ValueError("a column has too many or too few values")
    return values


def _parsed(block: Block, codec: zstandard.ZstdDecompressor) -> Columns:
    """The table of a block's columns. Raises ValueError where it cannot be true."""
    if not 0 < block.count <= ROWS or len(block.stored) <= START.size:
        raise ValueError("a block of no or too many rows")
    flags, first = START.unpack_from(block.stored)
    size = block.stored[START.size]
    at = START.size + 1 + size * COLUMN.size
    if at > len(block.stored):
        raise ValueError("the table of columns is cut short")
    places = {}
    for name, width, raw, stored in COLUMN.iter_unpack(block.stored[START.size + 1 : at]):
        if width not in WIDTHS or raw > ROWS * 8 or raw % width:
            raise ValueError("a column that no writer makes")
        places[name] = width, raw, at, at + stored
        at += stored
    if at != len(block.stored) or not {TIME, TID, SLOT, NR} <= places.keys():
        raise ValueError("columns are missing or too many")
    return Columns(block.count, bool(flags & ORDERED), first, places, block.stored, codec)


class Reader(Iterator[Columns]):
    """The blocks of a capture; `damage` counts what could not be read, also while reading.

    Raises:
        TraceError: At once if this is no capture or a newer one; at damage, after every block before it. With `salvage`,
            damaged blocks are left out and counted instead.
    """

    def __init__(self, path: str | Path, *, salvage: bool = False):
        self.path = Path(path)
        self.salvage = salvage
        self.damage = Damage()
        self.names: dict[int, str] = {}
        self.identities: dict[int, Identity] = {}  # by slot; complete once the last block was read, as are losses
        self.lost: dict[int, dict[str, int]] = {}  # slot → reason → rows that are not there
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 - closed at the end of the blocks
        except OSError as e:
            raise TraceError(f"{path}: cannot be opened: {e.strerror}; check the path") from e
        try:
            self.format, self.head = read_head(self._file, self.path, KIND)
        except TraceError:
            self._file.close()
            raise
        offset = self.head.get("offset", 0)
        self.offset = offset if isinstance(offset, int) else 0  # ns to add to a row's time for ns since the epoch
        self._blocks = self._all()

    def __next__(self) -> Columns:
        return next(self._blocks)

    def _all(self) -> Iterator[Columns]:
        codec = zstandard.ZstdDecompressor()
        with self._file:
            for block in read_blocks(self._file, self.path, self.damage, salvage=self.salvage):
                if block.kind == NAMES:
                    self._name(block)
                elif block.kind == NOTES:
                    self._note(block)
                elif block.kind == DATA:
                    try:
                        yield _parsed(block, codec)
                    except ValueError as e:
                        self.refuse(block.sequence, e)

    def _name(self, block: Block) -> None:
        try:
            found = msgpack.unpackb(block.stored, strict_map_key=False)
            self.names = {int(k): str(v) for k, v in found.items()}
        except (ValueError, TypeError, AttributeError, OverflowError, msgpack.UnpackException) as e:
            self.refuse(block.sequence, e)

    def _note(self, block: Block) -> None:
        try:
            found = msgpack.unpackb(block.stored, strict_map_key=False)
            identities = {int(k): codec.decode(v) for k, v in found["identities"].items()}
            lost = {int(k): {str(r): int(n) for r, n in v.items()} for k, v in found["lost"].items()}
        # KeyError: also a record of a version without an upgrade step
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError, msgpack.UnpackException) as e:
            self.refuse(block.sequence, e)
            return
        self.identities = {k: i for k, i in identities.items() if isinstance(i, Identity)}
        self.lost = lost

    def refuse(self, number: int | str, e: Exception) -> None:
        """Count a block whose inside is wrong, or raise."""
        what = f"block {number} is damaged inside its checksum ({e})"
        self.damage.add(what)
        self.damage.blocks += 1
        if not self.salvage:
            raise TraceError(f"{self.path}: {what}; rerun with --salvage") from e

    def each(self, what) -> Iterator:
        """`what(columns)` for every block in which it does not fail."""
        for number, columns in enumerate(self):
            try:
                result = what(columns)
            except (ValueError, KeyError, IndexError) as e:
                self.refuse(f"{number} of rows", e)
            else:
                yield result


def blocks(path: str | Path, *, salvage: bool = False) -> Iterator[np.ndarray]:
    """The rows of a capture, an array of `ROW` for each block."""
    return Reader(path, salvage=salvage).each(Columns.array)


def counts(path: str | Path, *, salvage: bool = False) -> np.ndarray:
    """Calls per slot and number, an array[slot, number]; number 512 stands for every number from there on."""
    from wire.columns_fold import Counts  # it reads `Columns`, so it can only come in here

    return _folded(Counts(), path, salvage)


def grams(path: str | Path, *, salvage: bool = False) -> np.ndarray:
    """Exact trigrams of each thread, summed per slot: an array of (slot, gram, count), sorted."""
    from wire.columns_fold import Grams  # as above

    return _folded(Grams(), path, salvage)


def _folded(fold, path: str | Path, salvage: bool) -> np.ndarray:
    for _ in Reader(path, salvage=salvage).each(fold.add):
        pass
    return fold.result()
