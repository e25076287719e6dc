"""Bytes behind a gap in a chunked body of HTTP/1.1 to the place where the next chunk begins."""

from __future__ import annotations

import re

CHUNK_HEAD = re.compile(rb"(?:\A|\r\n)([0-9a-fA-F]{1,6})\r\n")
HEAD_SIZE = 10  # bytes of a chunk's head with both its line ends
MOST_HEADS = 256  # candidates that wait for the end of their chunk
REJOIN = 256 << 10  # bytes in which the next chunk must be found


class NextChunk:
    """What looks like a chunk's head counts when the chunk ends where it says.

    >>> seek = NextChunk()
    >>> seek.find(b"lost\\r\\n5\\r\\nhel"), seek.find(b"lo\\r\\n0\\r\\n")
    (None, b'5\\r\\nhello\\r\\n0\\r\\n')
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._heads: list[tuple[int, int]] = []  # where such chunks would begin and end

    def find(self, data: bytes) -> bytes | None:
        """The next bytes; gives back everything from the chunk's head on, once it is found."""
        buffer = self._buffer
        known = max(0, len(buffer) - HEAD_SIZE)
        buffer += data
        fresh = CHUNK_HEAD.finditer(buffer, known) if known else CHUNK_HEAD.finditer(buffer)
        self._heads += [(m.start(1), m.end() + int(m.group(1), 16)) for m in fresh]
        self._heads = self._heads[:MOST_HEADS]
        for start, end in self._heads:
            if buffer[end : end + 2] == b"\r\n":
                return bytes(buffer[start:])
        self._heads = [(start, end) for start, end in self._heads if end + 2 > len(buffer)]
        return None

    @property
    def is_lost(self) -> bool:
        """Whether it should have been found by now."""
        return len(self._buffer) > REJOIN
