"""Messages on the socket between sensor and classifier: a fixed head, then the body.

``length u32 · type u8 · number u64 · body``. The sender speaks HELLO and FRAME, the receiver ACK and REFUSE:

| message | number | body |
|---|---|---|
| HELLO | 0 | msgpack ``[version, node, epoch]``: the frames that follow belong to this numbering |
| FRAME | 1, 2, … per (node, epoch) | one frame of `wire.codec` |
| ACK | the last one accepted of the numbering that was greeted last | empty |
| REFUSE | the one that cannot be read; it must not come again | why, UTF-8 |
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import msgpack

from wire import codec

PROTOCOL = 1
HELLO, FRAME, ACK, REFUSE = range(1, 5)
HEAD = struct.Struct("<IBQ")
SMALL = 4096  # bytes of a body that is no frame
NAME = 256  # characters of a node or an epoch


class BusError(ValueError):
    """A peer sent what this protocol does not know."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of either side."""

    type: int
    number: int = 0
    body: bytes = b""


def pack(type: int, number: int = 0, body: bytes = b"") -> bytes:
    """The bytes of a message."""
    return HEAD.pack(len(body), type, number) + body


def hello(node: str, epoch: str) -> bytes:
    """The greeting of a numbering.

    >>> greeted(next(Splitter().feed(hello("n1", "a"))).body)
    ('n1', 'a')
    """
    return pack(HELLO, 0, msgpack.packb([PROTOCOL, node, epoch]))


def greeted(body: bytes) -> tuple[str, str]:
    """Node and epoch of a greeting.

    Raises:
        BusError: It is damaged or from a newer driftline.
    """
    try:
        version, node, epoch = msgpack.unpackb(body, raw=False)
    except (ValueError, TypeError, msgpack.UnpackException) as e:
        raise BusError(f"damaged greeting: {e}") from e
    if not isinstance(version, int) or version > PROTOCOL:
        raise BusError(
            f"protocol {version!r:.20}, this driftline speaks up to {PROTOCOL}; please update the classifier"
        )
    if not all(isinstance(text, str) and 0 < len(text) <= NAME for text in (node, epoch)):
        raise BusError("damaged greeting: node and epoch are short texts")
    return node, epoch


class Splitter:
    """Bytes as they come to whole messages.

    >>> list(Splitter().feed(pack(ACK, 7)))
    [Message(type=3, number=7, body=b'')]
    """

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Every message that is complete now.

        Raises:
            BusError: An unknown type or an impossible length; what came before was given out.
        """
        self._waiting += data
        at = 0
        try:
            while len(self._waiting) - at >= HEAD.size:
                length, type, number = HEAD.unpack_from(self._waiting, at)
                _check(length, type)
                end = at + HEAD.size + length
                if end > len(self._waiting):
                    return
                body = bytes(self._waiting[at + HEAD.size : end])
                at = end
                yield Message(type, number, body)
        finally:
            del self._waiting[:at]


def _check(length: int, type: int) -> None:
    if type not in (HELLO, FRAME, ACK, REFUSE):
        raise BusError(f"message of unknown type {type}")
    limit = codec.LIMIT if type == FRAME else SMALL
    if length > limit:
        raise BusError(f"message of {length} bytes, the limit is {limit}")
