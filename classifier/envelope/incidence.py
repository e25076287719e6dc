"""Which sessions showed which behaviour: the raw material of every estimate of what is still unseen.

A session is one replica on one day. Of each behaviour only the first three sessions matter to Good-Turing and Chao2,
on any day one looks back to, so these and the days are all that is collected. Everything here follows from the cells
and is therefore the same after any order of merging.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import nsmallest
from typing import TYPE_CHECKING, TypeVar

from classifier.envelope.cells import DAYS, Cell, Lane
from classifier.envelope.dimensions import DIMENSIONS, dimension
from classifier.envelope.rested import days_of

if TYPE_CHECKING:
    from classifier.envelope.envelope import Envelope

K = TypeVar("K")
FIRST = 3  # sessions of a behaviour that are kept
TAG = 1 << 20

Session = int  # day * TAG + a tag of the replica, so that sessions sort by day


@dataclass(slots=True)
class Seen:
    """One behaviour, or one system call, over all replicas."""

    dimension: str
    sessions: list[Session] = field(default_factory=list)  # the first `FIRST`, sorted
    days: dict[int, int] = field(default_factory=dict)  # day → replicas that showed it
    replicas: int = 0

    def take(self, sessions: Iterable[Session]) -> None:
        """These sessions showed it as well."""
        self.sessions = nsmallest(FIRST, {*self.sessions, *sessions})


def tag(lane: Lane) -> int:
    """A number for a replica that is the same on every machine; two that share one only make us more careful.

    Without the sensor's epoch: a sensor that starts anew makes no new session of the same replica on the same day.
    """
    r = lane.replica
    kind = lane.epoch if r.generation < 0 else ""  # of folded replicas the epoch holds the revision
    return zlib.crc32(f"{r.node}/{r.cgroup}/{r.generation}/{kind}".encode()) % TAG


def first_sessions(cell: Cell, mark: int, day: float) -> list[Session]:
    """The first sessions of one cell; beyond the days it remembers its first sight stands for the oldest."""
    if len(cell.days) >= DAYS:
        return [d * TAG + mark for d in (int(cell.first // day), *_earliest(cell.days))]
    return [d * TAG + mark for d in _earliest(cell.days)]


@lru_cache(maxsize=1024)  # thousands of cells have a few dozen such sets
def _earliest(days: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(days)[:FIRST])


def collected(e: Envelope) -> dict[str, Seen]:
    """Behaviour (or ``call:NUMBER``) → who showed it when."""
    out: dict[str, Seen] = {}
    for lane in e.lanes.values():
        mark = tag(lane)
        for behaviour, cell in lane.cells.items():
            seen = out.get(behaviour)
            if seen is None:
                place = dimension(behaviour)
                if place is None:
                    continue
                seen = out[behaviour] = Seen(place)
            seen.take(first_sessions(cell, mark, e.policy.day))
            seen.replicas += max(1, cell.folded)
            for d in cell.days:
                seen.days[d] = seen.days.get(d, 0) + 1
    for behaviour, sessions in e.strange.items():
        if (place := dimension(behaviour)) is not None and behaviour not in e.sticky:
            seen = out.setdefault(behaviour, Seen(place))
            _add(seen, sessions)
    for number, sessions in e.calls.items():
        _add(out.setdefault(f"call:{number}", Seen("syscall")), sessions)
    return out


def firsts(e: Envelope) -> dict[str, dict[str, Set[Session]]]:
    """Dimension → behaviour → its sessions, or any `FIRST` of them: enough to tell one from two from more."""
    out: dict[str, dict[str, Set[Session]]] = {d: {} for d in DIMENSIONS}
    every: dict[str, Set[Session]] = {}
    for lane in e.lanes.values():
        mark, known = tag(lane), {}
        for behaviour in lane.cells:
            before = every.get(behaviour)
            if before is not None and len(before) >= FIRST:
                continue
            cell = lane.cells[behaviour]
            key = cell.days if len(cell.days) < DAYS else behaviour
            sessions = known.get(key)
            if sessions is None:
                sessions = known[key] = frozenset(first_sessions(cell, mark, e.policy.day))
            every[behaviour] = sessions if before is None else before | sessions
    for behaviour, some in e.strange.items():
        if behaviour not in e.sticky:
            every[behaviour] = every.get(behaviour, frozenset()).union(some)
    for behaviour, some in every.items():
        if (place := dimension(behaviour)) is not None:
            out[place][behaviour] = some
    out["syscall"].update((f"call:{number}", frozenset(some)) for number, some in e.calls.items())
    return out


def _add(seen: Seen, sessions: tuple[Session, ...]) -> None:
    """Sessions that no cell tells of."""
    seen.take(sessions)
    seen.replicas = seen.replicas or len({s % TAG for s in sessions})
    for s in sessions:
        seen.days.setdefault(s // TAG, 1)


def session_days(e: Envelope) -> dict[int, int]:
    """Day → replicas that did anything on it."""
    days: dict[int, int] = {}
    marks: set[Session] = set()
    for lane in e.lanes.values():
        mark = tag(lane)
        mine = set().union(*days_of(lane))
        marks.update(d * TAG + mark for d in mine)
    for mark in marks:
        days[mark // TAG] = days.get(mark // TAG, 0) + 1
    return days


def remember(table: dict[K, tuple[Session, ...]], what: K, session: Session) -> None:
    """Something was seen in a session; the first `FIRST` are kept."""
    known = table.get(what, ())
    if session not in known and (len(known) < FIRST or session < known[-1]):
        table[what] = tuple(nsmallest(FIRST, (*known, session)))


def united(one: dict[K, tuple[Session, ...]], two: dict[K, tuple[Session, ...]]) -> dict[K, tuple[Session, ...]]:
    """First sessions of both; neither changes."""
    keys = sorted(one.keys() | two.keys())  # type: ignore[type-var]
    return {n: tuple(nsmallest(FIRST, {*one.get(n, ()), *two.get(n, ())})) for n in keys}
