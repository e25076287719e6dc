"""Content codings to plain bytes, piece by piece, with a bound: a few bytes may unpack to a gigabyte."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

STEP = 64 << 10  # bytes that one step may give
ZSTD_SLICE = 128  # bytes that one step may take: 32 blocks of 128 KiB at worst, for zstandard has no output bound
ZSTD_WINDOW = 8 << 20
MOST_CODINGS = 2  # stacked on one body


class Broken(ValueError):
    """The bytes do not follow their coding. Holds no part of them."""


class Coding(Protocol):
    """One coding of one body."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Plain pieces; raises `Broken`. Each piece may be dropped, and the rest not asked for."""


class Identity:
    """No coding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data


class Zlib:
    """gzip, also of several members, and deflate, with its header and without."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip, self._raw = gzip, False
        self._head = b"" if not gzip else None
        self._state = zlib.decompressobj(31 if gzip else 15)

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None and data:
            data = self._choose(data)
        try:
            while data:
                yield self._state.decompress(data, STEP)
                data = self._state.unconsumed_tail or self._next_member()
        except zlib.error:
            raise Broken("broken gzip" if self._gzip else "broken deflate") from None

    def _choose(self, data: bytes) -> bytes:
        """Some servers send deflate without its zlib header; its first two bytes tell."""
        self._head = (self._head or b"") + data
        if len(self._head) < 2:
            return b""
        head, self._head = self._head, None
        if head[0] & 0x0F != 8 or int.from_bytes(head[:2], "big") % 31:
            self._state = zlib.decompressobj(-15)
        return head

    def _next_member(self) -> bytes:
        rest = self._state.unused_data if self._state.eof else b""
        if rest and self._gzip:
            self._state = zlib.decompressobj(31)
            return rest
        return b""


class Brotli:
    """br."""

    def __init__(self) -> None:
        self._state = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            out = self._state.process(data, output_buffer_limit=STEP)
            yield out
            while not self._state.can_accept_more_data():
                yield self._state.process(b"", output_buffer_limit=STEP)
        except brotli.error:
            raise Broken("broken br") from None


class Zstd:
    """zstd, also of several frames."""

    def __init__(self) -> None:
        self._state = self._new()

    @staticmethod
    def _new() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                piece, data = data[:ZSTD_SLICE], data[ZSTD_SLICE:]
                yield self._state.decompress(piece)
                if self._state.eof:
                    data = self._state.unused_data + data
                    self._state = self._new()
        except (zstandard.ZstdError, MemoryError):
            raise Broken("broken zstd") from None


class Stacked:
    """Two codings, the last one applied first to be undone."""

    def __init__(self, outer: Coding, inner: Coding) -> None:
        self._outer, self._inner = outer, inner

    def feed(self, data: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(data):
            yield from self._inner.feed(piece)


CODINGS = {
    "gzip": lambda: Zlib(gzip=True),
    "x-gzip": lambda: Zlib(gzip=True),
    "deflate": lambda: Zlib(gzip=False),
    "br": Brotli,
    "zstd": Zstd,
}


def coding(header: str) -> Coding | None:
    """How to undo a Content-Encoding; None: not known.

    >>> b"".join(coding("").feed(b"x"))
    b'x'
    """
    names = [n for n in (part.strip().lower() for part in header.split(",")) if n and n != "identity"]
    if len(names) > MOST_CODINGS or any(n not in CODINGS for n in names):
        return None
    chain: Coding = Identity()
    for name in names:
        made = CODINGS[name]()
        chain = made if isinstance(chain, Identity) else Stacked(made, chain)
    return chain
