"""Bytes of a request to its body, never more than may be held."""

from __future__ import annotations

import zlib

from classifier.otlp.telemetry import Broken, TooMuch

GZIP = 31  # window bits with a gzip header
STEP = 1 << 20


def unpacked(data: bytes, coding: str, most: int) -> bytes:
    """The body of a request.

    Args:
        coding: of the header `content-encoding`: "", "identity" or "gzip".
        most: bytes it may have.

    Raises:
        Broken: It is no gzip, or ends too early.
        TooMuch: It is larger than `most`.
    """
    if coding in ("", "identity"):
        if len(data) > most:
            raise TooMuch(f"more than {most} bytes")
        return data
    out, rest = bytearray(), data
    while rest:
        reader = zlib.decompressobj(GZIP)
        try:
            while not reader.eof:
                piece = reader.decompress(rest, min(STEP, most + 1 - len(out)))
                out += piece
                rest = reader.unconsumed_tail
                if len(out) > most:
                    raise TooMuch(f"more than {most} bytes unpacked")
                if not piece and not rest and not reader.eof:
                    raise Broken("a gzip body is cut short")
        except zlib.error:
            raise Broken("no gzip") from None
        rest = reader.unused_data
    return bytes(out)
