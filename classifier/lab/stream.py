"""Tracks to records in the order in which a classifier would get them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from classifier.lab.calls import profile
from classifier.lab.lives import Cast
from classifier.lab.tracks import Track
from classifier.lab.world import HOUR, START
from wire.records import Behaviour, Deploy, Event, Gap, Head, Identity, Record, Tick, Use, Window, Workload

HEAD, BORN, NEWS, EVENT, WINDOW, GAP, ENDED, TICK = range(8)  # order of what happens at the same time
AFTER = (20.0, 60.0)  # seconds after an event at which a tick lets time pass
Item = tuple[float, int, int, Record]


@dataclass(slots=True)
class Script:
    """Everything that a deployment's stream is made of."""

    workload: str
    cast: Cast
    tracks: list[Track]
    deploys: list[Deploy]
    gaps: list[Gap]
    seen: dict[str, np.ndarray]  # node → share of each hour since START that was observed
    until: float
    seed: int
    index: int
    interval: float = HOUR
    buckets: dict[int, list[Item]] = field(default_factory=dict)
    number: int = 0

    def put(self, time: float, rank: int, record: Record) -> None:
        """Note a record for its hour."""
        self.number += 1
        hour = int((time - START) // HOUR)
        if rank >= WINDOW and time > START and (time - START) % HOUR == 0:
            hour -= 1  # what ends with an hour belongs to it
        self.buckets.setdefault(hour, []).append((time, rank, self.number, record))


def records(s: Script) -> Iterator[Record]:
    """The stream. What may not be repeated (numbers of events, order) is fixed before the first record leaves."""
    for node in s.cast.nodes:
        s.put(START, HEAD, Head(START, node, "6.12.0", "e1", "/", HOUR))
    _people(s)
    _events(s)
    for d in s.deploys:
        s.put(max(START, d.received), NEWS, d)
    for g in s.gaps:
        s.put(g.end, GAP, g)
    yield from _play(s)


def _people(s: Script) -> None:
    """Identities, when replicas come and go."""
    for x in s.cast.lives:
        short = x.pod.partition("/")[2]
        born = Identity(
            round(x.start, 3),
            x.replica,
            f"/kubepods/burstable/pod{x.number:06d}/{short}",
            Workload(s.workload),
            x.name,
            "cri",
            f"{x.replica.cgroup:x}",
            s.workload.rpartition("/")[2],
            x.pod,
            f"registry.local/{s.workload.rpartition('/')[2]}@{x.name}",
            x.start > START,
        )
        s.put(x.start, BORN, born)
        if x.end < s.until:
            gone = Identity(
                round(x.end, 3), *(getattr(born, n) for n in Identity.__struct_fields__[1:-1]), round(x.end, 3)
            )
            s.put(x.end, ENDED, gone)


def _events(s: Script) -> None:
    """Number the events of each node in time, and let time pass after them."""
    stubs = sorted((e for t in s.tracks for e in t.events), key=lambda e: (e.time, e.life.number, e.act.behaviour))
    last: dict[str, int] = {}
    ticks: set[tuple[str, float]] = set()
    for e in stubs:
        node = e.life.node
        n = last[node] = max(int((e.time - START) * 1e9), last.get(node, 0) + 1)
        e.id = f"{node}/e1/{n}"
        pid = 10 + (n >> 10) % 30000
        time = round(e.time, 6)
        event = Event(e.id, time, e.life.replica, e.kind, Behaviour(e.act.behaviour), e.act.event_data(pid))
        s.put(time, EVENT, event)
        if e.kind == "exec":
            s.put(
                time, EVENT, Event(e.id + "d", time, e.life.replica, "digest", event.behaviour, e.act.digest_data(pid))
            )
        ticks.update((node, time + after) for after in AFTER)
    for node, time in ticks:
        s.put(time, TICK, Tick(node, time))


def _play(s: Script) -> Iterator[Record]:
    """Hour by hour: what was noted, then the windows that end in it."""
    alive: dict[int, list[Track]] = {}
    for t in s.tracks:
        for row in range(len(t.count)):
            alive.setdefault(t.first_hour + row, []).append(t)
    usual = profile(np.random.default_rng([s.seed, s.index, 77]), 16)
    ready = {id(t): _Rows(t) for t in s.tracks}
    for hour in range(int((s.until - START) // HOUR)):
        end = START + (hour + 1) * HOUR
        items = s.buckets.pop(hour, [])
        for n, t in enumerate(alive.pop(hour, ())):
            share = float(s.seen[t.life.node][hour])
            if share > 0:
                w = ready[id(t)].window(hour - t.first_hour, share, usual[(hour + t.life.number) % len(usual)])
                items.append((w.end, WINDOW, -1 - n, w))
            if hour - t.first_hour == len(t.count) - 1:
                del ready[id(t)]
        items += [(end, TICK, n, Tick(node, end)) for n, node in enumerate(s.cast.nodes)]
        items.sort(key=itemgetter(0, 1, 2))
        for item in items:
            yield item[3]


class _Rows:
    """The numbers of one replica as plain lists, row by row into windows."""

    def __init__(self, t: Track) -> None:
        self._t = t
        self._count, self._out, self._into = t.count.tolist(), t.out.tolist(), t.into.tolist()
        self._columns = [
            (Behaviour(a.behaviour), (s.id,) if s is not None else (), a.use_data())
            for a, s in zip(t.acts, t.stubs, strict=True)
        ]
        self._firsts: dict[int, list[tuple[int, float]]] = {}
        for n, (row, stub) in enumerate(zip(t.first_row, t.stubs, strict=True)):
            if stub is not None:
                self._firsts.setdefault(row, []).append((n, round(stub.time, 6)))

    def window(self, row: int, share: float, calls: dict[int, int]) -> Window:
        """The window of an hour."""
        t = self._t
        rows = zip(self._columns, self._count[row], self._out[row], self._into[row], strict=True)
        uses = [Use(c[0], n, o, i, 0.0, c[1], c[2]) for c, n, o, i in rows if n]
        more = t.extras.get(row)
        if row in self._firsts or more:
            uses = self._careful(row, more or {})
        start = max(t.life.start, START + (t.first_hour + row) * HOUR)
        end = min(t.life.end, START + (t.first_hour + row + 1) * HOUR)
        if row in t.calls:
            calls = calls | {c: n + calls.get(c, 0) for c, n in t.calls[row].items()}
        grams = tuple(sorted(t.grams[row])) if row in t.grams else ()
        loss = {"ring full": int(1 + (1 - share) * 1000)} if share < 1 else {}
        return Window(t.life.replica, round(start, 3), round(end, 3), tuple(uses), calls, grams, 0, loss)

    def _careful(self, row: int, more) -> list[Use]:
        """The same with times of first use, and with what is no habit."""
        firsts = dict(self._firsts.get(row, ()))
        uses = [
            Use(c[0], n, o, i, firsts.get(k, 0.0), c[1], c[2])
            for k, (c, n, o, i) in enumerate(
                zip(self._columns, self._count[row], self._out[row], self._into[row], strict=True)
            )
            if n
        ]
        for b, x in more.items():
            ids = tuple(e.id for e in x.stubs)
            uses.append(Use(Behaviour(b), x.count, x.out, x.into, round(x.first, 6), ids, x.act.use_data()))
        return sorted(uses, key=lambda u: u.behaviour)
