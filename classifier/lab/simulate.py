"""A plan to the streams of its deployments, each by itself and the same for the same seed and number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from classifier.lab import attacks, benign, rollouts, stream, workloads
from classifier.lab.acts import Deed, Habit
from classifier.lab.lives import Life, cast
from classifier.lab.rollouts import Rollout
from classifier.lab.scene import Scene
from classifier.lab.tracks import Track, track
from classifier.lab.truth import Fact, Truth
from classifier.lab.workloads import TYPES, Profile
from classifier.lab.world import DAY, HOUR, START, world_of
from wire.records import Gap, Record

FAMILIES: tuple[str, ...] = tuple(attacks.FAMILIES)
ALL = FAMILIES
__all__ = ["ALL", "FAMILIES", "TYPES", "Plan", "deployment"]
PARTS = ("profile", "rollouts", "replicas", "load", "gaps", "benign", "attacks")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate."""

    seed: int
    deployments: int = 16
    learn_days: int = 14
    days: int = 30  # judged, after learning
    interval: float = HOUR  # seconds a window
    attacks: float = 1.0  # expected in a deployment's judged 30 days
    families: tuple[str, ...] = ALL
    stealth: tuple[int, ...] = (0, 1, 2)
    shift: str = "none"  # or "busy": half as many deploys again, a heavier tail of novelty


def deployment(plan: Plan, index: int) -> tuple[Iterator[Record], Truth]:
    """One workload's whole stream and what is true of it."""
    if plan.interval != HOUR:
        raise ValueError(f"windows of {plan.interval:g} s: the simulator writes hours, 3600 s")
    rng = {p: np.random.default_rng([plan.seed, index, n]) for n, p in enumerate(PARTS)}
    world = world_of(plan.seed, plan.shift)
    p = workloads.draw(rng["profile"], world, index)
    days = plan.learn_days + plan.days
    judged, until = START + plan.learn_days * DAY, START + days * DAY
    drafts: list = []
    changes = rollouts.draw(rng["rollouts"], world, p, days, drafts)
    wanted = attacks.plan(rng["attacks"], plan, world, p, changes, drafts, judged, until)
    people = cast(rng["replicas"], p, changes, index=index, seed=plan.seed, until=until)
    scene = Scene(rng["benign"], world, p, people, changes, drafts, judged, until)
    load = _load(rng["load"], p, days)
    benign.play(scene, load)
    scene.rng = rng["attacks"]
    attacks.play(scene, wanted)
    gaps, seen = _gaps(rng["gaps"], people.nodes, days)
    tracks = _tracks((plan.seed, index), p, people.lives, changes, scene.deeds, load, seen)
    facts = _facts(p, tracks, changes, scene, seen)
    deploys = sorted([d for c in changes for d in c.deploys] + scene.deploys, key=lambda d: (d.received, d.id))
    script = stream.Script(p.workload, people, tracks, deploys, gaps, seen, until, plan.seed, index)
    return stream.records(script), Truth(p.workload, plan.seed, judged, until, facts, people.scaling)


def _load(rng: np.random.Generator, p: Profile, days: int) -> np.ndarray:
    """Requests of one replica in each hour: by day, by week, and with a memory of an hour."""
    hours = np.arange(days * 24)
    peak = float(rng.uniform(10, 16))
    day = p.night + (1 - p.night) * (0.5 + 0.5 * np.cos((hours % 24 - peak) / 24 * 2 * np.pi)) ** 1.3
    week = np.where(hours // 24 % 7 >= 5, p.weekend, 1.0)
    noise, drift = rng.standard_normal(len(hours)) * 0.12, np.zeros(len(hours))
    for n in range(1, len(hours)):
        drift[n] = 0.9 * drift[n - 1] + noise[n]
    return p.requests * day * week * np.exp(drift)


def _gaps(rng: np.random.Generator, nodes: tuple[str, ...], days: int) -> tuple[list[Gap], dict[str, np.ndarray]]:
    """Spans without a sensor and windows with losses: per node the share of each hour that was seen."""
    seen = {node: np.ones(days * 24) for node in nodes}
    gaps = []
    for node in nodes:
        for _ in range(int(rng.poisson(0.6 * days / 30))):
            start = START + float(rng.uniform(DAY, (days - 1) * DAY))
            end = start + float(rng.lognormal(np.log(1500), 1.0))
            gaps.append(Gap(node, round(start, 3), round(end, 3), "sensor was not running"))
            for hour in range(int((start - START) // HOUR), min(days * 24, int((end - START) // HOUR) + 1)):
                begin = START + hour * HOUR
                seen[node][hour] = max(0.0, 1 - (min(end, begin + HOUR) - max(start, begin)) / HOUR)
        for _ in range(int(rng.poisson(0.5 * days / 30))):
            seen[node][int(rng.integers(days * 24))] = 0.99  # a ring was full
    return gaps, seen


def _tracks(
    seed: tuple[int, int], p: Profile, lives: list[Life], changes: list[Rollout], deeds: list[Deed], load, seen
) -> list[Track]:
    """Every replica with its habits: those of its revision, and those of hot changes from their time on."""
    mine: dict[int, list[Deed]] = {}
    for d in deeds:
        mine.setdefault(d.life, []).append(d)
    for r in changes:
        for x in lives if r.calls else ():
            if x.revision == r.number and r.way != "hot":
                mine.setdefault(x.number, []).extend(rollouts.starts(r, x.number, x.start + 1))
    parts = {r.number: r for r in changes if r.way != "hot"}
    out = []
    for x in lives:
        habits = {h.grow or h.act.behaviour: h for h in p.habits}
        extra: list[Habit] = [h for r in changes if r.way == "hot" and r.time < x.end for h in r.habits]
        r = parts.get(x.revision)
        while r is not None:
            extra += r.habits
            r = parts.get(r.parent)
        grown = [h for h in extra if h.grow]
        for h in reversed(extra):  # oldest first: of two that move a job the later one counts
            if h.when:
                habits[h.act.behaviour] = h
            elif not h.grow:
                habits.setdefault(h.act.behaviour, h)
        rng = np.random.default_rng([*seed, len(PARTS), x.number])  # of its own: what happens elsewhere changes nothing
        out.append(track(rng, x, [*habits.values(), *grown], mine.get(x.number, []), load=load, seen=seen[x.node]))
    return out


@dataclass(slots=True)
class _Showing:
    """When and where a fact showed."""

    behaviours: dict[str, float]
    replicas: set
    start: float = float("inf")
    end: float = 0.0

    def see(self, behaviour: str, life: Life, start: float, end: float) -> None:
        self.behaviours[behaviour] = min(start, self.behaviours.get(behaviour, start))
        self.replicas.add(life.replica)
        self.start, self.end = min(self.start, start), max(self.end, end)


def _facts(p: Profile, tracks: list[Track], changes: list[Rollout], scene: Scene, seen) -> tuple[Fact, ...]:
    """Drafts to facts: only what the stream really holds."""
    shown: dict[int, _Showing] = {}
    lives = {t.life.number: t for t in tracks}
    for t in tracks:
        _habits_shown(shown, t)
    for d in scene.deeds:
        t = lives[d.life]
        if d.fact >= 0 and t.life.start <= d.time < t.life.end and seen[t.life.node][int((d.time - START) // HOUR)] > 0:
            shown.setdefault(d.fact, _Showing({}, set())).see(d.act.behaviour, t.life, d.time, d.time)
    for r in changes:
        for h in r.habits:
            if h.grow:
                _grown_shown(shown, h, r, tracks)
    found = []
    for n, s in sorted(shown.items()):
        draft = scene.drafts[n]
        names = tuple(sorted(s.behaviours, key=lambda b: (s.behaviours[b], b)))
        where = tuple(sorted(s.replicas))
        found.append(
            Fact(draft.kind, draft.family, draft.stealth, p.workload, s.start, s.end, names, where, draft.deploy)
        )
    return tuple(sorted(found, key=lambda f: (f.start, f.family)))


def _habits_shown(shown: dict[int, _Showing], t: Track) -> None:
    for n, fact in enumerate(t.facts):
        stub = t.stubs[n]
        if fact < 0 or stub is None:
            continue
        last = START + (t.first_hour + int(np.flatnonzero(t.count[:, n])[-1]) + 1) * HOUR
        shown.setdefault(fact, _Showing({}, set())).see(t.acts[n].behaviour, t.life, stub.time, min(last, t.life.end))


def _grown_shown(shown: dict[int, _Showing], h: Habit, r: Rollout, tracks: list[Track]) -> None:
    """Where a change made a known behaviour move more."""
    for t in tracks:
        if (r.way == "hot" and t.life.end > r.time) or (r.way != "hot" and t.life.revision == r.number):
            column = next((n for n, a in enumerate(t.acts) if a.behaviour == h.grow), None)
            begin = max(t.life.start, h.since)
            rows = np.flatnonzero(t.count[:, column]) if column is not None else ()
            rows = [k for k in rows if START + (t.first_hour + k) * HOUR >= begin - (HOUR if r.way != "hot" else 0)]
            if len(rows):
                start = max(begin, START + (t.first_hour + int(rows[0])) * HOUR)
                end = min(t.life.end, START + (t.first_hour + int(rows[-1]) + 1) * HOUR)
                shown.setdefault(h.fact, _Showing({}, set())).see(h.grow, t.life, start, end)
