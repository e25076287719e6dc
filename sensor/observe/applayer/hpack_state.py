"""HPACK of one direction that may have begun before us. What an index means is known or said to be unknown, never guessed."""

from __future__ import annotations

import hpack

TABLE = 64 << 10  # bytes; larger than the peer's is harmless, for it never names what it has dropped
OLDER = 128  # entries that a table of the usual 4096 bytes can hold at most
UNKNOWN_NAME = b"?"  # no header has this name


class HeaderState:
    """Header blocks to headers.

    Indices count from the newest entry. So a table that we join late is filled with entries that stand for "older than
    us": an index into them gives an unknown header, and every entry made since is right.
    """

    def __init__(self, *, known: bool) -> None:
        self.resets = 0
        self._start(known=known)

    def _start(self, *, known: bool) -> None:
        self.known = known
        self._decoder = hpack.Decoder(max_header_list_size=TABLE)
        self._decoder.max_allowed_table_size = TABLE
        self._decoder.header_table.maxsize = TABLE
        if not known:
            for _ in range(OLDER):
                self._decoder.header_table.add(UNKNOWN_NAME, b"")

    def lose(self) -> None:
        """A block was lost, and with it what it put into the table."""
        self.resets += 1
        self._start(known=False)

    def read(self, block: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
        """Headers, and whether that is all of them."""
        try:
            rows = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except (hpack.HPACKError, ValueError, IndexError, UnicodeError):
            self.lose()
            return [], False
        whole = all(name != UNKNOWN_NAME for name, _ in rows)
        return [row for row in rows if row[0] != UNKNOWN_NAME], whole
