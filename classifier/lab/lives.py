"""Slots, rollouts, scaling and accidents to lives: each replica with its node, cgroup, revision, start and end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from classifier.lab.rollouts import Rollout
from classifier.lab.workloads import Profile
from classifier.lab.world import DAY, HOUR, START
from wire.records import CgroupId, Replica

NEVER = float("inf")


@dataclass(slots=True)
class Life:
    """One replica from its start to its end. Times in seconds."""

    number: int
    slot: int
    node: str
    revision: int  # number; 0 is what ran first
    name: str  # of the revision
    start: float
    end: float
    replica: Replica = field(default_factory=lambda: Replica("", CgroupId(0)))
    pod: str = ""


@dataclass(slots=True)
class Cast:
    """All replicas of a deployment."""

    lives: list[Life]
    nodes: tuple[str, ...]
    scaling: tuple[float, ...]

    def alive(self, time: float, margin: float = 120.0) -> list[Life]:
        """Replicas that live at a time, and for a while after it."""
        return [x for x in self.lives if x.start + 30 <= time <= x.end - margin]


def cast(rng: np.random.Generator, p: Profile, rollouts: list[Rollout], *, index: int, seed: int, until: float) -> Cast:
    """Play the life of every slot."""
    nodes = tuple(f"s{seed}d{index}n{k}" for k in range(1, 1 + int(rng.integers(1, 4))))
    scaling: list[float] = []
    accidents = _accidents(rng, p, until, scaling)
    lives: list[Life] = []
    for slot in range(p.replicas):
        lives += _slot(rng, p, rollouts, slot, START, until, nodes, accidents.get(slot, []))
    for slot, begin, end in _scaled(rng, p, until):
        lives += _slot(rng, p, rollouts, slot, begin, end, nodes, [])
        scaling += [begin, end]
    lives.sort(key=lambda x: (x.start, x.slot))
    cgroup = int(rng.integers(4000, 9000))
    for n, x in enumerate(lives):
        cgroup += int(rng.integers(1, 60))
        x.start, x.end = round(x.start, 3), round(x.end, 3)  # a window and the end it tells must agree
        x.number, x.replica = n, Replica(x.node, CgroupId(cgroup))
        x.pod = f"{p.workload.split('/')[1]}/{p.workload.split('/')[3]}-{x.name}-{p.names.word()[:5]}"
    scaling += [t for r in rollouts if r.kind == "restart" for t in r.steps.values()]
    return Cast(lives, nodes, tuple(sorted(t for t in scaling if START < t < until)))


def _accidents(rng: np.random.Generator, p: Profile, until: float, scaling: list[float]) -> dict[int, list[tuple]]:
    """Restarts, crash loops and node drains: per slot (time, seconds without a replica, whether the node changes)."""
    months = (until - START) / (30 * DAY)
    found: dict[int, list[tuple[float, float, bool]]] = {}

    def add(slot: int, time: float, down: float, moves: bool = False) -> None:
        found.setdefault(slot, []).append((time, down, moves))
        scaling.append(time)

    for _ in range(int(rng.poisson(2.0 * months))):
        add(int(rng.integers(p.replicas)), float(rng.uniform(START, until)), float(rng.uniform(1, 20)))
    for _ in range(int(rng.poisson(0.4 * months))):  # a crash loop, with the kubelet's growing waits
        slot, time, wait = int(rng.integers(p.replicas)), float(rng.uniform(START, until)), 10.0
        for _ in range(int(rng.integers(4, 11))):
            add(slot, time, wait)
            time, wait = time + wait + float(rng.uniform(5, 60)), min(wait * 2, 300.0)
    for _ in range(int(rng.poisson(0.5 * months))):  # a drain
        time = float(rng.uniform(START, until))
        for slot in range(p.replicas):
            if rng.random() < 0.6:
                time += float(rng.uniform(5, 120))
                add(slot, time, float(rng.uniform(2, 40)), True)
    return found


def _scaled(rng: np.random.Generator, p: Profile, until: float) -> list[tuple[int, float, float]]:
    """Slots beside the usual ones, and when they live."""
    spans: list[tuple[int, float, float]] = []
    for day in range(int((until - START) // DAY) if p.autoscale or p.flapping else 0):
        midnight = START + day * DAY
        if p.flapping and rng.random() < 0.25:  # 2 → many → 2, a few times
            for _ in range(int(rng.integers(1, 4))):
                begin, many = midnight + float(rng.uniform(6, 22)) * HOUR, int(rng.integers(4, 19))
                stay = float(rng.uniform(0.2, 1.5)) * HOUR
                spans += [(100 + n, begin + 9 * n, begin + stay + 7 * n) for n in range(many)]
        elif day % 7 < 5 or rng.random() < p.weekend:
            for n in range(p.autoscale):
                begin = midnight + float(rng.normal(8 + n, 0.4)) * HOUR
                spans.append((50 + n, begin, midnight + float(rng.normal(19 - n, 0.5)) * HOUR))
    return [(slot, a, min(b, until)) for slot, a, b in spans if a < until - 900 and b > a + 300]


def _slot(
    rng, p: Profile, rollouts: list[Rollout], slot: int, begin: float, end: float, nodes, accidents
) -> list[Life]:
    """The lives of one slot between two times, one after the other, with a short overlap in a rollout."""
    moves: list[tuple[float, str, object]] = []
    for r in rollouts:
        step = r.steps.get(slot if slot < p.replicas else slot % max(1, p.replicas))
        if step is not None:
            moves.append((step, "revision", r))
            if math.isfinite(r.until) and r.until > step:
                moves.append((r.until + float(rng.uniform(0, 300)), "back", r))
    moves += [(t, "restart", (down, away)) for t, down, away in accidents]
    moves.sort(key=lambda m: m[0])
    names = {
        0: p.revision,
        **{r.number: r.name or "" for r in rollouts if r.name},
    }
    node = nodes[slot % len(nodes)]
    revision, start, lives, age = 0, begin, [], 0.0
    for time, what, more in moves:
        down = 0.0
        if what == "revision" and more.time > age:  # an older change does not overtake a newer one
            after, age = more.number, more.time
        elif what == "back" and more.number == revision:
            after = more.parent
        elif what == "restart":
            after, down = revision, more[0]
        else:
            continue
        if time >= end:
            break
        if time > begin:
            if time <= start + 4:  # still starting
                continue
            overlap = 0.0 if what == "restart" else float(rng.uniform(4, 30))
            lives.append(Life(0, slot, node, revision, names[revision], start, min(time + overlap, end)))
            start = time + down
            if what == "restart" and more[1]:
                node = nodes[(nodes.index(node) + 1) % len(nodes)]
        revision = after
    if start < end:
        lives.append(Life(0, slot, node, revision, names[revision], start, end))
    return lives
