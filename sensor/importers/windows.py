"""Acts found in a foreign trace become the stream: identities, events, windows and ticks, closed on event time.

What goes in is in the order of its file. An act older than the open window is counted into the open window (`late`),
so a small disorder between processors costs nothing and time never runs backwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import floor

import xxhash

from wire import grams
from wire.records import (
    Behaviour,
    CgroupId,
    Event,
    Head,
    Identity,
    ProbeState,
    Record,
    Replica,
    Tick,
    Use,
    Window,
    Workload,
)
from wire.syscalls import BEYOND

ALWAYS = {"exec", "fork", "exit"}  # sent each time; other kinds at the first time a replica shows the behaviour
USES = 10_000  # behaviours of one replica that are kept apart in a window, and remembered in all
GRAMS = 1 << 18  # first trigrams remembered per replica
THREADS = 1 << 17  # threads whose last two calls are known
OWNERS = 20_000
KINDS = 2_000
EVIDENCE = 8
FOREIGN = -2  # the number of a call that no table knows


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose act it was, as far as the trace says."""

    path: str  # cgroup path, or what stands in for it
    workload: Workload
    container: str = ""
    name: str = ""
    image: str = ""
    startup_observed: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did: a system call (`number`) or a fact (`kind`)."""

    time: float  # seconds since the epoch
    owner: Owner
    tid: int
    number: int | None = None  # of the call; FOREIGN where it has none; None: a fact that is not a call
    kind: str = ""  # of the Event; "" for a plain call
    behaviour: Behaviour | None = None
    data: Mapping[str, str | int | float] = field(default_factory=dict)
    lost: str = ""  # the trace itself says that something was lost here


@dataclass(slots=True)
class Summary:
    """What an import found; whole when its records are at an end."""

    events: int = 0  # events of the foreign trace, also those that mean nothing here
    calls: int = 0  # system calls counted in windows
    unparsed: int = 0  # lines or events that could not be read
    late: int = 0  # acts older than their window
    lost: Counter[str] = field(default_factory=Counter)  # what was dropped for a table was full, or before the import
    by_kind: Counter[str] = field(default_factory=Counter)  # exec, egress, … → how many
    by_type: Counter[str] = field(default_factory=Counter)  # the trace's own words → how many
    damage: str = ""  # why it ended early; "": it did not

    def saw(self, kind: str) -> None:
        """Count a word of the trace itself; a hostile trace has many and long ones."""
        known = len(self.by_type) < KINDS or kind in self.by_type
        self.by_type[kind[:128] if known else "other"] += 1


@dataclass(slots=True)
class _Replica:
    """What is open of one owner."""

    replica: Replica
    seen: dict[Behaviour, str] = field(default_factory=dict)  # behaviour → its first event
    grams: set[int] = field(default_factory=set)
    uses: dict[Behaviour, list] = field(default_factory=dict)  # behaviour → [count, first, evidence, data]
    calls: Counter[int] = field(default_factory=Counter)
    fresh: list[int] = field(default_factory=list)
    foreign: int = 0
    loss: Counter[str] = field(default_factory=Counter)


def head(source: str, time: float, *, node: str, epoch: str, interval: float, arch: str, misses: Iterable[str]) -> Head:
    """The head of an imported stream; its one probe is the import, with what it cannot know."""
    probe = ProbeState(f"import-{source}", "stand-in", tuple(misses))
    return Head(time, node, "unknown", epoch, "import", interval, arch, (probe,), source)


def cgroup_id(path: str) -> CgroupId:
    """An id for a path, the same in every import; below 2^53, so that JSON readers keep it."""
    return CgroupId(xxhash.xxh3_64_intdigest(path.encode("utf-8", "surrogateescape")) >> 11)


class Stream:
    """Windows of a foreign trace.

    Args:
        head: as `head()` makes it; node, epoch and interval are taken from it.
        summary: where counts go.
    """

    def __init__(self, head: Head, summary: Summary):
        self.head = head
        self.summary = summary
        self._open: dict[Owner, _Replica] = {}
        self._last: dict[int, tuple[int, int]] = {}  # thread → its last two calls
        self._index: int | None = None  # number of the open window
        self._events = 0

    def records(self, acts: Iterable[Act]) -> Iterator[Record]:
        """Everything, the head first. If `acts` raises, what was open is closed and given out before it goes on."""
        yield self.head
        try:
            for act in acts:
                yield from self.add(act)
        except Exception:
            yield from self.close()
            raise
        yield from self.close()

    def add(self, act: Act) -> Iterator[Record]:
        """What follows from one act: windows that it closes, an identity, an event."""
        yield from self._advance(act.time)
        state = self._open.get(act.owner)
        if state is None:
            if len(self._open) >= OWNERS:
                self.summary.lost["owners"] += 1
                return
            state = self._open[act.owner] = _Replica(Replica(self.head.node, cgroup_id(act.owner.path)))
            yield self._identity(act, state.replica)
        if act.lost:
            state.loss[act.lost] += 1
            self.summary.lost[act.lost] += 1
        if act.number is not None:
            self._call(state, act.tid, act.number)
        if act.kind:
            yield from self._fact(state, act)

    def _advance(self, time: float) -> Iterator[Record]:
        index = floor(time / self.head.interval)
        if self._index is None:
            self._index = index
        if index < self._index:
            self.summary.late += 1
        elif index > self._index:
            yield from self.close()
            # One tick for any number of empty windows: a jump in time must not cost more than a step.
            if index > self._index + 1:
                yield Tick(self.head.node, index * self.head.interval)
            self._index = index

    def _identity(self, act: Act, replica: Replica) -> Identity:
        o = act.owner
        names = {"container": o.container, "name": o.name, "image": o.image, "startup_observed": o.startup_observed}
        return Identity(act.time, replica, o.path, o.workload, None, "import", **names)

    def _call(self, state: _Replica, tid: int, number: int) -> None:
        self.summary.calls += 1
        known = min(number, BEYOND) if number >= 0 else BEYOND
        if known == BEYOND:
            state.foreign += 1
        else:
            state.calls[known] += 1
        before, last = self._last.pop(tid, (grams.NONE, grams.NONE))
        self._last[tid] = (last, known)
        if len(self._last) > THREADS:
            del self._last[next(iter(self._last))]  # the thread that was silent longest
        self._gram(state, before + 1 << 20 | last + 1 << 10 | known + 1)

    def _gram(self, state: _Replica, packed: int) -> None:
        if packed in state.grams:
            return
        if len(state.grams) >= GRAMS:
            state.loss["grams"] += 1
            return
        state.grams.add(packed)
        state.fresh.append(packed)

    def forget(self, tid: int) -> None:
        """A thread ended: a later one with its number begins anew."""
        self._last.pop(tid, None)

    def _fact(self, state: _Replica, act: Act) -> Iterator[Record]:
        self.summary.by_kind[act.kind] += 1
        if act.kind == "exit":
            self.forget(act.tid)
        known = act.behaviour in state.seen
        if act.kind in ALWAYS or not known:
            self._events += 1
            event_id = f"{self.head.node}/{self.head.epoch}/{self._events}"
            yield Event(event_id, act.time, state.replica, act.kind, act.behaviour, act.data)
        if act.behaviour is not None:
            self._use(state, act, event_id if act.kind in ALWAYS or not known else state.seen[act.behaviour])

    def _use(self, state: _Replica, act: Act, evidence: str) -> None:
        use = state.uses.get(act.behaviour)
        if use is None:
            if len(state.uses) >= USES:
                state.loss["uses"] += 1
                return
            first = 0.0 if act.behaviour in state.seen else act.time
            use = state.uses[act.behaviour] = [0, first, [], act.data]
        if len(state.seen) < USES:
            state.seen.setdefault(act.behaviour, evidence)
        use[0] += 1
        if len(use[2]) < EVIDENCE and evidence not in use[2]:
            use[2].append(evidence)

    def close(self) -> Iterator[Record]:
        """Close the open window of everybody and say that it is closed."""
        if self._index is None:
            return
        start, end = self._index * self.head.interval, (self._index + 1) * self.head.interval
        for state in self._open.values():
            if state.calls or state.uses or state.foreign or state.loss:
                yield self._window(state, start, end)
        yield Tick(self.head.node, end)

    def _window(self, state: _Replica, start: float, end: float) -> Window:
        uses = tuple(
            Use(b, count, first=first, evidence=tuple(ids), data=data)
            for b, (count, first, ids, data) in state.uses.items()
        )
        calls, fresh, loss = dict(sorted(state.calls.items())), tuple(sorted(state.fresh)), dict(state.loss)
        window = Window(state.replica, start, end, uses, calls, fresh, state.foreign, loss)
        state.uses, state.calls, state.fresh, state.foreign, state.loss = {}, Counter(), [], 0, Counter()
        return window


class Import(Iterator[Record]):
    """The records of an import, and their summary."""

    def __init__(self, records: Iterator[Record], summary: Summary):
        self._records = records
        self.summary = summary

    def __next__(self) -> Record:
        return next(self._records)
