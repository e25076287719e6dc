"""A state as it lies in the database: compressed to a tenth, and read as it is where an older driftline wrote it.

SQLite copies a value twice to write it, and its statement keeps the last one: what it is given should be small.
"""

from __future__ import annotations

import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"  # of zstd; no state begins so
LEVEL = 1  # a state is full of the same names: 2.0 MB to 0.17 in 2 ms
RATIO = 256  # times its compressed size that a state may have
SMALL, MOST = 1 << 20, 1 << 30  # bytes that it may have at any ratio, and at most


def packed(state: bytes) -> bytes:
    """Compressed, with a checksum; as it is where it would not be read again.

    >>> unpacked(packed(b"state" * 9)) == b"state" * 9
    True
    """
    data = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(state)
    return data if _fits(len(state), data) else state


def unpacked(data: bytes) -> bytes:
    """The state. What is damaged comes back as it is, for whoever reads states refuses it.

    >>> unpacked(b"of an older one"), unpacked(MAGIC + b"damaged") == MAGIC + b"damaged"
    (b'of an older one', True)
    """
    if not data.startswith(MAGIC):
        return data
    try:
        if not _fits(zstandard.frame_content_size(data), data):
            return data
        return zstandard.ZstdDecompressor().decompress(data)
    except (zstandard.ZstdError, MemoryError, OverflowError):
        return data


def _fits(size: int, data: bytes) -> bool:
    """Whether a state may be so long: a head may claim any length (-1: none), and a few bytes unpack to all memory."""
    return 0 <= size <= min(MOST, max(SMALL, RATIO * len(data)))
