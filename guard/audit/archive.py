"""Files to one ZIP whose every byte is decided by them, and back without trust in what it says of itself.

Nothing is compressed, so nothing can swell. The first file is the list of all others; where each lies follows from it, and
an archive that differs from the one these files make, in any byte, is not whole.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping, Sequence

LIMIT = 1 << 30  # bytes of a bundle
FILES = 400_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,2}\Z")
LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
DATE = 0x21  # 1980-01-01, the first that a ZIP can say
MODE = 0o100644 << 16
BLOCK = 1 << 16  # bytes that are compared at once


class ArchiveError(ValueError):
    """Bytes that are no such archive; the message says where."""

    exit_code = 1


def packed(files: Mapping[str, bytes]) -> bytes:
    """The archive of files, in their order."""
    body, index = bytearray(), bytearray()
    for name, data in files.items():
        if not NAME.match(name):
            raise ArchiveError(f"{name!r:.100} is no name for a file of a bundle")
        head = (20, 0, 0, 0, DATE, zlib.crc32(data), len(data), len(data), len(name), 0)
        index += CENTRAL.pack(b"PK\1\2", 20 | 3 << 8, *head, 0, 0, 0, MODE, len(body)) + name.encode()
        body += LOCAL.pack(b"PK\3\4", *head) + name.encode() + data
    if len(body) + len(index) > LIMIT or len(files) > min(FILES, 0xFFFF):
        raise ArchiveError("too large for one bundle; choose fewer rows with --id")
    end = END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(index), len(body), 0)
    return bytes(body + index + end)


def first(data: bytes, name: str, limit: int) -> bytes:
    """The file that the archive begins with.

    Raises:
        ArchiveError: It begins with something else.
    """
    head = LOCAL.size + len(name)
    if len(data) < head or data[LOCAL.size : head] != name.encode():
        raise ArchiveError(f"does not begin with {name}: no bundle, or its first bytes were changed")
    size = LOCAL.unpack_from(data)[8]
    if size > limit or head + size > len(data):
        raise ArchiveError(f"{name} is said to have {size} bytes")
    found = data[head : head + size]
    if LOCAL.unpack_from(data)[6] != zlib.crc32(found):
        raise ArchiveError(f"{name} was changed")
    return found


def cut(data: bytes, sizes: Sequence[tuple[str, int]]) -> dict[str, bytes]:
    """The files that lie where an archive of these names and sizes would have them; short where the archive is."""
    found, at = {}, 0
    for name, size in sizes:
        at += LOCAL.size + len(name)
        found[name] = data[at : at + size]
        at += size
    return found


def differs(data: bytes, files: Mapping[str, bytes]) -> tuple[int, str] | None:
    """Where an archive differs from the one these files make, and whose bytes these are; None: nowhere."""
    wanted = packed(files)
    if wanted == data:
        return None
    at = _first_difference(data, wanted)
    return at, _owner(at, files)


def _first_difference(one: bytes, other: bytes) -> int:
    start = next((i for i in range(0, len(one), BLOCK) if one[i : i + BLOCK] != other[i : i + BLOCK]), len(one))
    pairs = zip(one[start : start + BLOCK], other[start : start + BLOCK], strict=False)
    return next((start + i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _owner(at: int, files: Mapping[str, bytes]) -> str:
    place = 0
    for name, data in files.items():
        place += LOCAL.size + len(name) + len(data)
        if at < place:
            return name
    for name in files:
        place += CENTRAL.size + len(name)
        if at < place:
            return name
    return "the end of the archive"
