"""A variant and a seed to what happens in 49 days: turns by time, deploy events, and when one must look closely."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from classifier.lab.breach.setting import (
    BUCKET,
    CRM,
    END,
    EXPORT,
    EXPORTER,
    MAIL,
    MINUTE,
    START,
    SUNDAYS,
    WORKER,
    WORKLOAD,
    Life,
    Setting,
    at,
    setting,
)
from classifier.lab.breach.turns import Turn, Work
from classifier.lab.world import DAY, HOUR
from wire.records import Behaviour, Deploy

LAST = 90.0  # seconds at the end of a life in which it takes up nothing new
CLOSE = (2 * MINUTE, 15 * MINUTE)  # before and after the crime, with windows as a sensor sends them
BUSY = (8, 20)  # hours of a day
EXPORTS = (2.0, 2.25)  # hours of a Sunday
MOVED = "export-moved"
SCOPE = tuple(map(Behaviour, (BUCKET, EXPORTER, "tool:run_export", "chain:run_export")))  # all that an export shows


@dataclass(frozen=True, slots=True)
class Crime:
    """What the verdict is about."""

    life: Life
    begin: float  # seconds: the first record read for it
    write: float  # seconds: the first byte that leaves
    end: float
    ticket: str  # "" where no ticket is behind it
    read: frozenset[Behaviour]
    left: frozenset[Behaviour]  # by what it leaves


@dataclass(slots=True)
class Story:
    """One variant under one seed."""

    variant: str
    setting: Setting
    work: Work
    deploys: list[Deploy]
    crime: Crime | None = None  # known once `turns` has come to it

    def turns(self) -> Iterator[list[Turn]]:
        """The turns that begin in an hour, hour by hour, by time."""
        for hour in range(int((END - START) // HOUR)):
            start = START + hour * HOUR
            found = [t for life in self.setting.lives for t in self._of(life, start)]
            found += self._special(start)
            yield sorted(found, key=lambda t: (t.start, t.life.number))

    def is_close(self, time: float) -> bool:
        """Whether windows that end then are as short as a sensor's: around the crime, and while exports run."""
        sunday = int((time - START) // DAY) in SUNDAYS and EXPORTS[0] <= (time - START) % DAY / HOUR < EXPORTS[1]
        return sunday or self.time - CLOSE[0] <= time <= self.time + CLOSE[1]

    @property
    def time(self) -> float:
        """When it happens, or would happen (seconds)."""
        if self.variant.startswith("fx1c"):
            return self.setting.sunday_crime
        return at(44, 14, 30) if self.variant.startswith("fx1e") else self.setting.crime

    def _of(self, life: Life, start: float) -> Iterator[Turn]:
        begin, end = max(start, life.start), min(start + HOUR, life.end - LAST)
        if begin >= end:
            return
        rng = random.Random(f"{self.setting.seed}/{life.number}/{start}")
        busy = BUSY[0] <= start // HOUR % 24 < BUSY[1]
        rate = self.setting.busy * rng.uniform(0.5, 1.5) if busy else rng.choice((0.0, 0.0, 1.0, 1.5))
        many = int(rate * (end - begin) / HOUR + rng.random())
        for time in sorted(rng.uniform(begin, end) for _ in range(many)):
            yield self.work.ticket(rng, life, time)
        if life.leads and any(start == at(day, 2) for day in SUNDAYS) and not self._was_moved(start):
            yield self.work.export(rng, life, start + rng.uniform(0, 100))

    def _was_moved(self, start: float) -> bool:
        return self.variant == "fx1e" and start > self.time

    def _special(self, start: float) -> list[Turn]:
        if self.variant == "quiet" or not start <= self.time < start + HOUR:
            return []
        s, rng = self.setting, random.Random(f"special/{self.setting.seed}")
        leads = self.variant in ("fx1c-2", "fx1e", "fx1e-worker")
        life = next(x for x in reversed(s.lives) if x.number < 100 and x.leads == leads and x.start < self.time < x.end)
        if self.variant.startswith("fx1e"):
            lineage = EXPORT if self.variant == "fx1e" else WORKER
            turn = self.work.moved_export(rng, life, self.time, lineage)
        else:
            turn = self.work.theft(life, self.time, by_mail=self.variant == "fx1b")
        self.crime = _crime(turn)
        return [turn]


def _crime(turn: Turn) -> Crime:
    acts = [a for r in turn.rounds for use in r for a in use.acts]
    left = frozenset({BUCKET, MAIL, EXPORTER} & {a.behaviour for a in acts})
    mine = [a for a in acts if a.behaviour in left or a.behaviour == CRM]
    write = min(a.time for a in mine if a.behaviour in (BUCKET, MAIL))
    end = max(a.time for a in mine)
    return Crime(
        turn.life,
        min(a.time for a in mine),
        write,
        end,
        turn.ticket,
        frozenset({CRM} & {a.behaviour for a in mine}),
        left,
    )


def story(variant: str, seed: int) -> Story:
    """A variant under a seed; the same habits whatever the variant."""
    moved = variant.startswith("fx1e")
    s = setting(seed, moved=moved)
    work = Work(s, alone=variant == "fx1c-2", mail=variant == "fx1b")
    out = Story(variant, s, work, [])
    out.deploys = [_event(f"v{n + 2}", time - 5 * MINUTE, "image", f"r{n + 2}") for n, time in enumerate(s.rollouts)]
    if variant == "fx1d":
        scope = Behaviour("open:config:/etc/agent/prompts/*")
        out.deploys.append(_event("prompt-12", out.time - 10 * MINUTE, "prompt", None, scope))
    if moved:
        out.deploys.append(_event(MOVED, at(44, 12, 55), "config", "r4", *SCOPE))
    return out


def _event(id: str, time: float, kind: str, revision: str | None, *scope: Behaviour) -> Deploy:
    return Deploy(id, time, time + 4, "http", WORKLOAD, kind, revision, actor="ada", scope=scope, trust="signed")
