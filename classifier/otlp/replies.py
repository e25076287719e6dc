"""What an exporter is answered: how much was taken, or a `google.rpc.Status`, in the encoding it asked in."""

from __future__ import annotations

import json

PROTOBUF, JSON = "application/x-protobuf", "application/json"
SIGNALS = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}
INVALID, NOT_FOUND, DENIED, EXHAUSTED, INTERNAL, UNAVAILABLE = 3, 5, 7, 8, 13, 14
CODES = {400: INVALID, 403: DENIED, 404: NOT_FOUND, 405: INVALID, 408: UNAVAILABLE, 413: INVALID, 415: INVALID}
CODES |= {429: EXHAUSTED, 500: INTERNAL, 503: UNAVAILABLE}


def taken(media: str, signal: str, rejected: int, why: str) -> bytes:
    """The answer to a request that was taken; with `rejected` or `why`, in part or with a word of warning.

    >>> taken(JSON, "traces", 2, "no id")
    b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no id"}}'
    """
    if not rejected and not why:
        return b"{}" if media == JSON else b""
    if media == JSON:
        told = {SIGNALS[signal]: str(rejected), "errorMessage": why}
        return json.dumps({"partialSuccess": told}, separators=(",", ":")).encode()
    inner = (b"\x08" + _varint(rejected) if rejected else b"") + _string(2, why)
    return b"\x0a" + _varint(len(inner)) + inner


def status(media: str, http: int, message: str) -> bytes:
    """The body of a refusal.

    >>> status(JSON, 400, "no JSON")
    b'{"code":3,"message":"no JSON"}'
    """
    code = CODES.get(http, INVALID)
    if media == JSON:
        return json.dumps({"code": code, "message": message}, separators=(",", ":")).encode()
    return b"\x08" + _varint(code) + _string(2, message)


def _string(number: int, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return bytes([number << 3 | 2]) + _varint(len(data)) + data if data else b""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
