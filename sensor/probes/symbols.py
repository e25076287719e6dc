"""An ELF file to the places of functions in it: by symbol, exported or local; and its build id.

The file belongs to a workload and may be made to hurt: every table is read within bounds, and what does not fit is no
symbol. Names are searched as bytes first, so the table itself is only read where a name is in it.

Source: elf(5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

SYMBOLS, DYNAMIC_SYMBOLS, NOTE = 2, 11, 7  # sh_type
LOAD = 1  # p_type
EXECUTABLE, WRITABLE = 1, 2  # bits of p_flags
FUNCTION = 2  # st_info & 15
TABLE = 32 << 20  # bytes of one table that are read at most: Node's names take 8 MB
PLACES = 4096  # of one name in a table of names; a workload may repeat it
HEADERS = 512  # sections and segments that are looked at
PIECE = 1 << 20  # bytes of a search at a time
SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)


class ElfError(ValueError):
    """Not a 64-bit little-endian ELF file, or a broken one."""


@dataclass(frozen=True, slots=True)
class Section:
    """One row of the section table."""

    kind: int
    flags: int
    offset: int
    size: int
    link: int


class Elf:
    """One file, open for reading.

    Raises:
        ElfError: It is none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head = self._read(0, 64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            raise ElfError("no 64-bit ELF file")
        segments, sections = struct.unpack_from("<QQ", head, 32)
        size, number, row, rows = struct.unpack_from("<HHHH", head, 54)
        self._segments = list(self._table(segments, size, number, "<IIQQQQ"))
        self._sections = [
            Section(kind, flags, offset, length, link)
            for _, kind, flags, _, offset, length, link in self._table(sections, row, rows, "<IIQQQQI")
        ]

    def functions(self, names: frozenset[str]) -> dict[str, int]:
        """Offsets in the file of the functions of these names; of two of one name, the exported one."""
        found: dict[str, int] = {}
        for kind in (DYNAMIC_SYMBOLS, SYMBOLS):
            for section in self._sections:
                if section.kind == kind and names - found.keys():
                    found = self._named(section, names) | found
        return found

    @property
    def build_id(self) -> str:
        """Hex digits, "" where there is none."""
        for section in self._sections:
            if section.kind == NOTE and section.size < 4096:
                note = self._read(section.offset, section.size)
                if len(note) >= 16 and note[8:16] == b"\x03\0\0\0GNU\0":
                    return note[16 : 16 + min(64, struct.unpack_from("<I", note, 4)[0])].hex()
        return ""

    def constants(self, over: int) -> Iterator[bytes]:
        """The file's constants and code, in pieces of which each repeats the last `over` bytes before it."""
        for _, flags, offset, _, _, size in self._segments_loaded():
            if flags & WRITABLE:
                continue  # constants do not lie there
            for at in range(0, size, PIECE):
                piece = self._read(offset + at, min(PIECE + over, size - at))
                if not piece:
                    break  # a segment that is longer than its file
                yield piece

    def _segments_loaded(self) -> Iterator[tuple]:
        return (s for s in self._segments if s[0] == LOAD)

    def _named(self, section: Section, names: frozenset[str]) -> dict[str, int]:
        if not 0 <= section.link < len(self._sections):
            return {}
        texts = self._sections[section.link]
        text = self._read(texts.offset, min(texts.size, TABLE))
        places = {at: name for name in names for at in _endings(text, name.encode() + b"\0")}
        if not places:
            return {}
        raw = self._read(section.offset, min(section.size, TABLE))
        rows = np.frombuffer(raw, SYMBOL, len(raw) // SYMBOL.itemsize)
        wanted = np.isin(rows["name"], list(places)) & (rows["info"] & 15 == FUNCTION) & (rows["section"] != 0)
        pairs = ((places[int(r["name"])], self._offset(int(r["value"]))) for r in rows[wanted][:64])
        return {name: offset for name, offset in pairs if offset is not None}

    def _offset(self, address: int) -> int | None:
        """Where in the file the code of an address lies."""
        for _, flags, offset, start, _, size in self._segments_loaded():
            if flags & EXECUTABLE and start <= address < start + size:
                return address - start + offset
        return None

    def _table(self, at: int, row: int, rows: int, layout: str) -> Iterator[tuple]:
        if row < struct.calcsize(layout):
            return
        raw = self._read(at, row * min(rows, HEADERS))
        for start in range(0, len(raw) - row + 1, row):
            yield struct.unpack_from(layout, raw, start)

    def _read(self, offset: int, size: int) -> bytes:
        if not 0 <= offset < 1 << 62 or size <= 0:
            return b""
        self._file.seek(offset)
        return self._file.read(size)


def _endings(text: bytes, name: bytes) -> Iterator[int]:
    """Places where a name ends a string: linkers let one string be the tail of another."""
    at = -1
    for _ in range(PLACES):
        at = text.find(name, at + 1)
        if at < 0:
            return
        yield at
