"""Records of a trace as plain values and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import click

from wire.codec import NAMES
from wire.records import Deploy, Event, Gap, Head, Identity, Pin, Record, Tick, Triage, Window

TIMES = {Window: "end", Gap: "end"}  # every other record has `time`


def kind_of(record: Record) -> str:
    """The kind as frames name it."""
    return NAMES[type(record)]


def time_of(record: Record) -> float:
    """The event time up to which a record speaks, in seconds."""
    return getattr(record, TIMES.get(type(record), "time"))


def check_kinds(kinds: Iterable[str]) -> set[str]:
    """The kinds, all known.

    Raises:
        click.UsageError: One is not.
    """
    wanted = set(kinds)
    for kind in sorted(wanted - set(NAMES.values())):
        raise click.UsageError(f"no kind of record is called {kind}; there are {', '.join(sorted(NAMES.values()))}")
    return wanted


def plain(record: Record) -> dict[str, Any]:
    """A record as a JSON object, with its kind."""
    return {"record": kind_of(record), **fields_of(record)}


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, deeply."""
    return {field.name: _deep(getattr(value, field.name)) for field in fields(value)}


def _deep(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, Mapping):
        return {str(k): _deep(v) for k, v in value.items()}
    return [_deep(v) for v in value] if isinstance(value, list | tuple) else value


def line_of(record: Record) -> str:
    """A record as one line; the caller escapes it."""
    return f"{time_of(record):.6f} {kind_of(record):<8} {WORDS[type(record)](record)}".rstrip()


def _window(w: Window) -> str:
    lost = "".join(f" lost:{name}={count}" for name, count in w.loss.items() if count)
    uses = " ".join(str(use.behaviour) for use in w.uses)
    calls = sum(w.syscalls.values())
    return f"{_replica(w.replica)} {w.end - w.start:g} s, {calls} calls, {len(w.grams)} new grams{lost} {uses}"


def _event(e: Event) -> str:
    data = " ".join(f"{name}={value}" for name, value in e.data.items())
    return f"{e.id} {_replica(e.replica)} {e.kind} {e.behaviour or '-'} {data}"


def _identity(i: Identity) -> str:
    ended = "" if i.ended is None else f" ended {i.ended:.6f}"
    return f"{_replica(i.replica)} {i.path} is {i.workload or '?'} revision {i.revision or '?'} by {i.source}{ended}"


def _deploy(d: Deploy) -> str:
    refused = f" refused: {d.refused}" if d.refused else ""
    scope = f" scope {', '.join(d.scope)}" if d.scope else ""
    return f"{d.id} {d.workload} {d.kind} revision {d.revision or '-'} by {d.source} trust {d.trust}{scope}{refused}"


def _head(h: Head) -> str:
    probes = " ".join(f"{p.name}:{p.state}" for p in h.probes)
    return f"{h.node} {h.source} kernel {h.kernel} scope {h.scope} every {h.interval:g} s {probes}"


def _replica(replica: Any) -> str:
    return f"{replica.node}/{replica.cgroup}.{replica.generation}"


WORDS: dict[type, Any] = {
    Head: _head,
    Identity: _identity,
    Event: _event,
    Window: _window,
    Deploy: _deploy,
    Gap: lambda g: f"{g.node} from {g.start:.6f}: {g.reason}",
    Tick: lambda t: t.node,
    Triage: lambda t: f"{t.finding} {t.decision} by {t.actor} {t.note}",
    Pin: lambda p: f"{p.workload} {p.what} is {p.value or '(nothing)'} by {p.actor} {p.note}",
}
