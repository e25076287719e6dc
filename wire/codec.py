"""Records to bytes and back: msgpack frames, each with the version of its format.

A frame is ``[version, kind, fields]``, `fields` in the order of the dataclass. A field that a later version adds has a
default, so an older frame is completed by its upgrade step and a newer one is refused with an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import msgpack

from wire.records import Deploy, Event, Gap, Head, Identity, ProbeState, Record, Replica, Tick, Triage, Use, Window

VERSION = 1
LIMIT = 16 << 20  # bytes in a frame; a larger one is a mistake or an attack

KINDS: dict[str, type] = {c.__name__.lower(): c for c in (Head, Identity, Event, Window, Deploy, Gap, Tick, Triage)}
NAMES = {c: n for n, c in KINDS.items()}

Upgrade = Callable[[str, list[Any]], list[Any]]
UPGRADES: dict[int, Upgrade] = {}  # version → the step to the next one


class FrameError(ValueError):
    """A frame that cannot be read: damaged, too large, unknown or newer than this program."""


def encode(record: Record) -> bytes:
    """One record as one frame.

    >>> decode(encode(Tick("n1", 2.0)))
    Tick(node='n1', time=2.0)
    """
    return msgpack.packb([VERSION, NAMES[type(record)], _plain(record)], use_bin_type=True)


def decode(frame: bytes) -> Record:
    """The record of one frame.

    Raises:
        FrameError: The frame is damaged, larger than `LIMIT`, of an unknown kind or from a newer driftline.
    """
    if len(frame) > LIMIT:
        raise FrameError(f"frame of {len(frame)} bytes, the limit is {LIMIT}")
    try:
        version, kind, values = msgpack.unpackb(frame, raw=False, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as e:
        raise FrameError(f"damaged frame: {e}") from e
    return _record(kind, _upgraded(version, kind, values))


def _upgraded(version: Any, kind: Any, values: Any) -> list[Any]:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1 or not isinstance(values, list):
        raise FrameError("damaged frame: not [version, kind, fields]")
    if version > VERSION:
        raise FrameError(f"frame of format {version}, this driftline reads up to {VERSION}; please update")
    for step in range(version, VERSION):
        values = UPGRADES[step](kind, values)
    return values


def _record(kind: Any, values: list[Any]) -> Record:
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise FrameError(f"unknown kind of record: {kind!r:.40}")
    try:
        return READERS[cls](values)
    except (TypeError, ValueError, IndexError, AttributeError) as e:
        raise FrameError(f"damaged {kind}: {e}") from e


def _plain(value: Any) -> Any:
    """Dataclasses to lists, tuples to lists, mappings sorted by key: equal records give equal bytes."""
    if hasattr(value, "__dataclass_fields__"):
        return [_plain(getattr(value, f.name)) for f in fields(value)]
    if isinstance(value, Mapping):
        return {k: value[k] for k in sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def _checked(cls: type, values: list[Any]) -> Any:
    """An instance whose scalar fields have the declared kind; a float field takes an int, no field takes a bool for one."""
    record = cls(*values)
    for f in fields(cls):
        _require(f.name, getattr(record, f.name), SCALARS.get(f.type))
    return record


SCALARS: dict[Any, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "CgroupId": (int,),
    "Workload": (str,),
    "Behaviour": (str,),
    "str | None": (str, type(None)),
    "float | None": (float, int, type(None)),
    "Workload | None": (str, type(None)),
    "Behaviour | None": (str, type(None)),
    "tuple[str, ...]": (tuple,),
    "tuple[int, ...]": (tuple,),
    "Mapping[int, int]": (dict,),
    "Mapping[str, int]": (dict,),
    "Mapping[str, float]": (dict,),
    "Mapping[str, str | int | float]": (dict,),
}


def _require(name: str, value: Any, kinds: tuple[type, ...] | None) -> None:
    if kinds is not None and not isinstance(value, kinds):
        raise ValueError(f"field {name} is a {type(value).__name__}")


def _replica(v: list[Any]) -> Replica:
    return _checked(Replica, v)


def _head(v: list[Any]) -> Head:
    probes = tuple(ProbeState(n, s, tuple(m)) for n, s, m in v[7])
    return _checked(Head, [*v[:7], probes, *v[8:]])


def _identity(v: list[Any]) -> Identity:
    return _checked(Identity, [v[0], _replica(v[1]), *v[2:]])


def _event(v: list[Any]) -> Event:
    return _checked(Event, [v[0], v[1], _replica(v[2]), *v[3:]])


def _use(v: list[Any]) -> Use:
    return _checked(Use, [*v[:5], tuple(v[5]), *v[6:]])


def _window(v: list[Any]) -> Window:
    uses = tuple(map(_use, v[3]))
    return _checked(Window, [_replica(v[0]), v[1], v[2], uses, v[4], tuple(v[5]), *v[6:]])


def _deploy(v: list[Any]) -> Deploy:
    sender = None if v[11] is None else _replica(v[11])
    return _checked(Deploy, [*v[:8], tuple(v[8]), *v[9:11], sender])


def _gap(v: list[Any]) -> Gap:
    return _checked(Gap, v)


def _tick(v: list[Any]) -> Tick:
    return _checked(Tick, v)


def _triage(v: list[Any]) -> Triage:
    return _checked(Triage, v)


READERS: dict[type, Callable[[list[Any]], Any]] = {
    Head: _head,
    Identity: _identity,
    Event: _event,
    Window: _window,
    Deploy: _deploy,
    Gap: _gap,
    Tick: _tick,
    Triage: _triage,
}
