"""The server name in a TLS ClientHello. Source: RFC 8446 section 4.1.2, RFC 6066 section 3.

Python's ssl module would parse the hello too, but runs OpenSSL on hostile bytes in a privileged process; this reads a few
lengths and copies nothing else.
"""

from __future__ import annotations

import re

NAME = re.compile(rb"[A-Za-z0-9_.-]{1,253}")
SERVER_NAME = 0


def server_name(hello: bytes) -> str | None:
    """The name a client asked for; None where there is none, or where the record is cut before it.

    >>> server_name(b"") is None
    True
    """
    try:
        return _name(_extensions(hello))
    except IndexError:  # cut or lying lengths
        return None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise IndexError(count)
        self.at += count
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")


def _extensions(hello: bytes) -> _Reader:
    r = _Reader(hello)
    if r.number(1) != 0x16:
        raise IndexError("no handshake record")
    r.take(4)  # record version and length: a hello may span records, then it is cut here
    if r.number(1) != 1:
        raise IndexError("no ClientHello")
    r.take(3 + 2 + 32)  # length, version, random
    r.take(r.number(1))  # session id
    r.take(r.number(2))  # cipher suites
    r.take(r.number(1))  # compression methods
    r.take(2)
    return r


def _name(r: _Reader) -> str | None:
    while True:
        kind, length = r.number(2), r.number(2)
        if kind != SERVER_NAME:
            r.take(length)
            continue
        r.take(3)  # list length, type host_name
        name = r.take(r.number(2))
        return name.decode().lower() if NAME.fullmatch(name) else None
