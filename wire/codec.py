"""Records to bytes and back: msgpack frames, each with the version of its format.

A frame is ``[version, kind, fields]``, `fields` in the order of the record's class. A field that a later version adds has a
default, so an older frame is completed by its upgrade step and a newer one is refused with an answer. Types are checked by
msgspec while it reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wire.records import Deploy, Event, Gap, Head, Identity, Pin, Record, Tick, Triage, Window

VERSION = 1
LIMIT = 16 << 20  # bytes in a frame; a larger one is a mistake or an attack

KINDS: dict[str, type] = {
    c.__name__.lower(): c for c in (Head, Identity, Event, Window, Deploy, Gap, Tick, Triage, Pin)
}
NAMES = {c: n for n, c in KINDS.items()}

Upgrade = Callable[[str, list[Any]], list[Any]]
UPGRADES: dict[int, Upgrade] = {}  # version → the step to the next one

_SORTED = msgspec.msgpack.Encoder(order="sorted")  # equal records give equal bytes
_PLAIN = msgspec.msgpack.Encoder()
_OUTER = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
_INNER = {name: msgspec.msgpack.Decoder(cls) for name, cls in KINDS.items()}


class FrameError(ValueError):
    """A frame that cannot be read: damaged, too large, unknown or newer than this program."""


def encode(record: Record) -> bytes:
    """One record as one frame.

    >>> decode(encode(Tick("n1", 2.0)))
    Tick(node='n1', time=2.0, health={})
    """
    if isinstance(record, Window):
        return _PLAIN.encode((VERSION, "window", _sorted(record)))
    return _SORTED.encode((VERSION, NAMES[type(record)], record))


def decode(frame: bytes) -> Record:
    """The record of one frame.

    Raises:
        FrameError: The frame is damaged, larger than `LIMIT`, of an unknown kind or from a newer driftline.
    """
    if len(frame) > LIMIT:
        raise FrameError(f"frame of {len(frame)} bytes, the limit is {LIMIT}")
    try:
        version, kind, values = _OUTER.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise FrameError(f"damaged frame: {e}") from e
    if version < 1:
        raise FrameError(f"damaged frame: there was no format {version}")
    if version > VERSION:
        raise FrameError(f"frame of format {version}, this driftline reads up to {VERSION}; please update")
    if kind not in KINDS:
        raise FrameError(f"unknown kind of record: {kind!r:.40}")
    return _record(version, kind, values)


def _sorted(window: Window) -> tuple[object, ...]:
    """The fields of a window in order; msgspec sorts no mapping with numbers as keys."""
    values = [getattr(window, name) for name in Window.__struct_fields__]
    return tuple(
        dict(sorted(v.items()))
        if isinstance(v, dict) and v and isinstance(next(iter(v)), int)
        else msgspec.Raw(_SORTED.encode(v))
        for v in values
    )


def _record(version: int, kind: str, values: msgspec.Raw) -> Record:
    try:
        if version == VERSION:
            return _INNER[kind].decode(values)
        return msgspec.convert(_upgraded(version, kind, msgspec.msgpack.decode(values)), KINDS[kind])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError, OverflowError) as e:
        raise FrameError(f"damaged {kind}: {e}") from e


def _upgraded(version: int, kind: str, values: list[Any]) -> list[Any]:
    for step in range(version, VERSION):
        values = UPGRADES[step](kind, values)
    return values
