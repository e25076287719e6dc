"""What one replica does hour by hour: habits drawn in one go, single deeds laid over them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from classifier.lab import calls
from classifier.lab.acts import Act, Deed, Habit
from classifier.lab.lives import Life
from classifier.lab.workloads import WEEK
from classifier.lab.world import HOUR, START


@dataclass(slots=True)
class Extra:
    """A use beside the habits within one window."""

    act: Act
    count: int = 0
    out: int = 0
    into: int = 0
    first: float = 0.0
    stubs: list[Stub] = field(default_factory=list)


@dataclass(slots=True)
class Stub:
    """An event that waits for its number."""

    time: float
    life: Life
    act: Act
    kind: str
    id: str = ""


@dataclass(slots=True)
class Track:
    """One replica, ready to be written. Rows are hours, columns habits."""

    life: Life
    acts: list[Act]
    facts: list[int]  # per column
    first_hour: int  # hours since START
    count: np.ndarray
    out: np.ndarray
    into: np.ndarray
    stubs: list[Stub | None]  # per column: its first showing
    first_row: list[int]
    extras: dict[int, dict[str, Extra]] = field(default_factory=dict)  # row → behaviour → use
    calls: dict[int, dict[int, int]] = field(default_factory=dict)  # row → system calls
    grams: dict[int, set[int]] = field(default_factory=dict)  # row → trigrams new to the replica
    events: list[Stub] = field(default_factory=list)


def track(
    rng: np.random.Generator, life: Life, habits: list[Habit], deeds: list[Deed], *, load: np.ndarray, seen: np.ndarray
) -> Track:
    """Play a life.

    Args:
        load: Requests per hour since START, for one replica.
        seen: Share of each hour that its node was observed.
    """
    grown = [h for h in habits if h.grow]
    plain = sorted((h for h in habits if not h.grow), key=lambda h: h.act.behaviour)
    a, b = int((life.start - START) // HOUR), int(-(-(life.end - START) // HOUR))
    b = max(b, a + 1)
    share = np.ones(b - a)
    share[0] -= (life.start - START) / HOUR - a
    share[-1] -= b - (life.end - START) / HOUR
    own = float(rng.lognormal(0, 0.1))
    count, out, into = _numbers(rng, life, plain, a, b, share * own, load)
    _grow(plain, grown, out, into, a, life)
    for values in (count, out, into):
        values *= seen[a:b, None] > 0
    t = Track(life, [h.act for h in plain], [h.fact for h in plain], a, count, out, into, [], [])
    _first(rng, t, plain, seen)
    _lay(rng, t, plain, deeds, seen)
    _code(t)
    return t


def _code(t: Track) -> None:
    """The trigrams of what runs: at the start those of the program and its revision, later those of what is new."""
    mine = set(calls.START_UP)
    if t.life.revision:
        mine |= calls.trigrams(t.life.name, 5 + int(t.life.name, 16) % 25)
    for act, fact, row in zip(t.acts, t.facts, t.first_row, strict=True):
        if fact >= 0 and row >= 0 and (many := calls.novelty(act.behaviour, act.kind)):
            t.grams.setdefault(row, set()).update(calls.trigrams(act.behaviour, many))
    t.grams.setdefault(0, set()).update(mine)


def _numbers(rng, life: Life, habits: list[Habit], a: int, b: int, share: np.ndarray, load: np.ndarray):
    """Counts and bytes of every hour and habit."""
    hours, k = b - a, len(habits)
    rate = np.array([h.rate for h in habits])
    hourly = np.array([h.hourly for h in habits])
    mean = np.where(hourly[None, :], share[:, None], (load[a:b] * share)[:, None]) * rate[None, :]
    fixed = np.zeros((hours, k), bool)
    for n, h in enumerate(habits):
        if h.once:
            mean[:, n] = 0
            fixed[0, n] = True
        elif h.when:
            on = np.isin(np.arange(a, b) % WEEK, h.when) & (share > 0.3)
            mean[~on, n] = 0
            if h.rate <= 1:  # a job runs once, not about once
                mean[:, n] = 0
                fixed[on, n] = True
        if h.since > life.start:
            mean[: max(0, int((h.since - START) // HOUR) + 1 - a), n] = 0
    count = rng.poisson(np.minimum(mean, 1e9)).astype(np.int64)
    count[fixed] = 1
    noise = np.exp(rng.standard_normal((hours, k)) * np.array([h.spread for h in habits])[None, :])
    out = (count * noise * np.array([h.out for h in habits])[None, :]).astype(np.int64)
    into = (count * noise * np.array([h.into for h in habits])[None, :]).astype(np.int64)
    return count, out, into


def _grow(habits: list[Habit], grown: list[Habit], out: np.ndarray, into: np.ndarray, a: int, life: Life) -> None:
    """More bytes over known behaviours."""
    column = {h.act.behaviour: n for n, h in enumerate(habits)}
    for g in grown:
        n = column.get(g.grow)
        if n is not None:
            row = max(0, int((g.since - START) // HOUR) + 1 - a) if g.since > life.start else 0
            out[row:, n] = (out[row:, n] * g.rate).astype(np.int64)
            into[row:, n] = (into[row:, n] * g.rate).astype(np.int64)


def _first(rng: np.random.Generator, t: Track, habits: list[Habit], seen: np.ndarray) -> None:
    """The event with which each behaviour begins; a habit that two changes bring shows once."""
    any_ = t.count > 0
    rows = np.argmax(any_, axis=0)
    jitter = rng.random((2, len(habits)))
    for n, h in enumerate(habits):
        row = int(rows[n])
        if not any_[row, n]:
            t.stubs.append(None)
            t.first_row.append(-1)
            continue
        begin = max(t.life.start, START + (t.first_hour + row) * HOUR)
        end = min(t.life.end, START + (t.first_hour + row + 1) * HOUR)
        quick = h.once or (row == 0 and not h.hourly)
        time = begin + (0.2 + 3 * jitter[0, n] if quick else jitter[1, n] * (end - begin))
        stub = Stub(float(min(time, end - 0.01)), t.life, h.act, h.act.kind)
        t.stubs.append(stub)
        t.first_row.append(row)
        t.events.append(stub)


def _execute(t: Track, row: int, d: Deed, *, new: bool) -> None:
    """The system calls of a deed."""
    made = t.calls.setdefault(row, {})
    for call, many in calls.COST.get(d.act.kind, {}).items():
        made[call] = made.get(call, 0) + many * min(d.count, 1000)
    for call in d.calls:
        made[call] = made.get(call, 0) + d.count
    many = max(d.grams, calls.novelty(d.act.behaviour, d.act.kind) if new else 0)
    if many:
        t.grams.setdefault(row, set()).update(calls.trigrams(d.act.behaviour, many))


def _lay(rng: np.random.Generator, t: Track, habits: list[Habit], deeds: list[Deed], seen: np.ndarray) -> None:
    """Single deeds: over a habit of that hour, or beside the habits."""
    column = {h.act.behaviour: n for n, h in enumerate(habits)}
    shown = {h.act.behaviour: s.time for h, s in zip(habits, t.stubs, strict=True) if s is not None}
    for d in sorted(deeds, key=lambda d: d.time):
        hour = int((d.time - START) // HOUR)
        row = hour - t.first_hour
        if not (t.life.start <= d.time < t.life.end) or seen[hour] <= 0:
            continue
        b = d.act.behaviour
        n = column.get(b, -1)
        _execute(t, row, d, new=b not in shown)
        if n >= 0 and t.count[row, n]:
            t.count[row, n] += d.count
            t.out[row, n] += d.out
            t.into[row, n] += d.into
            continue
        x = t.extras.setdefault(row, {}).get(b)
        if x is None:
            x = t.extras[row][b] = Extra(d.act, first=d.time)
        x.count += d.count
        x.out += d.out
        x.into += d.into
        new = d.time < shown.get(b, float("inf"))
        if new or (d.act.kind == "exec" and len(x.stubs) < 8):
            x.stubs.append(Stub(d.time, t.life, d.act, d.act.kind))
            t.events.append(x.stubs[-1])
        if new and n >= 0 and (later := t.stubs[n]) is not None:  # the habit has been announced by this already
            t.events.remove(later)
            t.stubs[n] = x.stubs[-1]
        shown[b] = min(d.time, shown.get(b, d.time))
