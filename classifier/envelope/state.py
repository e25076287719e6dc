"""Plain state to bytes and back: msgpack with tags for tuples, sets and the registered classes, and nothing else.

Not pickle: a snapshot lies in a database, and reading one must never run what it says. Sets are written sorted, so
equal states of one program give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import msgpack

from classifier.policy import Policy
from wire.records import Deploy, Event, Identity, Replica, Use, Window

TUPLE, SET, OBJECT, BIG = 1, 2, 3, 4
CLASSES: dict[str, type] = {}
FIELDS: dict[type, tuple[str, ...]] = {}
PLAIN: dict[type, Callable[[Any], Any]] = {}  # what is held otherwise in memory than in a snapshot → what stands there
C = TypeVar("C", bound=type)


class StateError(ValueError):
    """Bytes that are no snapshot of this program."""


def stored(cls: C) -> C:
    """Class decorator: instances of this dataclass may stand in a snapshot."""
    CLASSES[cls.__name__] = cls
    FIELDS[cls] = tuple(f.name for f in fields(cls) if f.init)
    return cls


for _record in (Policy, Replica, Use, Window, Event, Identity, Deploy):
    stored(_record)


def freeze(value: Any) -> bytes:
    """The bytes of a state.

    >>> thaw(freeze({"a": {3, 1}, "b": (1, 2.5, None)}))
    {'a': {1, 3}, 'b': (1, 2.5, None)}
    """
    return msgpack.packb(value, default=_tagged, strict_types=True, use_bin_type=True)


def thaw(data: bytes) -> Any:
    """The state of some bytes.

    Raises:
        StateError: The bytes are damaged or hold something this program does not know.
    """
    try:
        return msgpack.unpackb(data, ext_hook=_untagged, strict_map_key=False, raw=False)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, msgpack.UnpackException) as e:
        raise StateError(f"damaged snapshot: {e}; replay the journal from its beginning") from e


def _tagged(value: Any) -> Any:
    if type(value) is tuple:
        return msgpack.ExtType(TUPLE, freeze(list(value)))
    if type(value) is set or type(value) is frozenset:
        return msgpack.ExtType(SET, freeze(sorted(value)))
    if type(value) in FIELDS:
        names = FIELDS[type(value)]
        return msgpack.ExtType(OBJECT, freeze([type(value).__name__, *(getattr(value, n) for n in names)]))
    if type(value) in PLAIN:
        return PLAIN[type(value)](value)
    if type(value) is int:  # beyond 64 bits
        return msgpack.ExtType(BIG, str(value).encode())
    raise TypeError(f"{type(value).__name__} has no place in a snapshot")


def _untagged(code: int, data: bytes) -> Any:
    if code == BIG:
        return int(data)
    items = thaw(data)
    if code == OBJECT:
        return CLASSES[items[0]](*items[1:])
    return tuple(items) if code == TUPLE else set(items)
