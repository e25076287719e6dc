"""A story to records in the order in which a classifier would get them; the same story gives the same records."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from classifier.lab.breach.setting import END, START, WORKER, WORKLOAD, Life
from classifier.lab.breach.story import Story
from classifier.lab.breach.tally import Numbers, Tally
from classifier.lab.breach.turns import Act, Turn
from classifier.lab.breach.words import Said, said
from classifier.lab.calls import profile
from classifier.lab.world import HOUR
from wire.records import Deploy, Event, Head, Identity, Record, Tick, Window

INTERVAL = 10.0  # seconds between windows, where one looks closely
COARSE = 600.0  # elsewhere
EPOCH = "e1"
BORN, DEPLOY, DONE, SAID, GONE = range(5)  # order of what happens at the same time


class Stream:
    """Plays one story.

    Args:
        words: With what the agent says; without, the same records of the kernel.
    """

    def __init__(self, story: Story, *, words: bool) -> None:
        self.story, self._words = story, words
        self._numbers = Numbers(EPOCH, START)
        self._usual = profile(np.random.default_rng([story.setting.seed, 77]), 16)
        self._waiting: list[tuple[float, int, int, object]] = []
        self._count = 0
        self._alive: dict[int, Tally] = {}
        self._asked: dict[tuple[float, int, int], str] = {}  # turn and number of a model call → id of its event

    def records(self) -> Iterator[Record]:
        """All records."""
        lives = self.story.setting.lives
        nodes = sorted({x.node for x in lives})
        for node in nodes:
            yield Head(START, node, "6.12.0", EPOCH, "/", INTERVAL)
        for x in lives:
            self._wait(x.start, BORN, x)
            if x.end < END:
                self._wait(x.end, GONE, x)
        for d in self.story.deploys:
            self._wait(d.received, DEPLOY, d)
        for hour, turns in enumerate(self.story.turns()):
            for turn in turns:
                self._plan(turn)
            for edge in self._edges(START + hour * HOUR):
                yield from self._until(edge)
                for number in sorted(self._alive):
                    if edge - self._alive[number].since >= 1.0:
                        yield self._window(self._alive[number], edge)
                yield from (Tick(node, edge) for node in nodes)

    def _edges(self, start: float) -> list[float]:
        """Ends of windows in an hour."""
        steps = (start + n * INTERVAL for n in range(1, int(HOUR / INTERVAL)))
        return [*(s for s in steps if s % COARSE == 0 or self.story.is_close(s)), start + HOUR]

    def _window(self, tally: Tally, end: float) -> Window:
        hour = int((tally.since - START) // HOUR)
        return tally.window(end, self._usual[(hour + tally.life.number) % len(self._usual)])

    def _wait(self, time: float, rank: int, what: object) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (time, rank, self._count, what))

    def _plan(self, turn: Turn) -> None:
        for uses in turn.rounds:
            for use in uses:
                for act in use.acts:
                    self._wait(act.time, DONE, (turn.life, act))
        if self._words:
            for word in said(turn):
                self._wait(word.time, SAID, (turn, word))

    def _until(self, edge: float) -> Iterator[Record]:
        while self._waiting and self._waiting[0][0] < edge:
            time, rank, _, what = heapq.heappop(self._waiting)
            yield from HAPPENS[rank](self, time, what)

    # what happens -----------------------------------------------------------------------------------------------------

    def _born(self, time: float, life: Life) -> Iterator[Record]:
        yield _identity(life, time)
        tally = self._alive[life.number] = Tally(life, time)
        yield from tally.begin(self._numbers)

    def _deploy(self, _: float, deploy: Deploy) -> Iterator[Record]:
        yield deploy

    def _done(self, _: float, what: tuple[Life, Act]) -> Iterator[Record]:
        life, act = what
        yield from self._alive[life.number].take(act, self._numbers)

    def _said(self, time: float, what: tuple[Turn, Said]) -> Iterator[Record]:
        turn, word = what
        life = turn.life
        id_ = self._numbers.id(life.node, time, "t")
        data, key = word.data, (turn.start, life.number, word.number)
        if word.kind == "llm":
            self._asked[key] = id_
        elif word.kind == "tool":
            data = data | {"llm": self._asked[key]}
        if word.behaviour is not None:
            self._alive[life.number].count(word.behaviour, time, (id_,), WORKER, 1, 0, 0)
        yield Event(id_, time, life.replica, word.kind, word.behaviour, data)

    def _gone(self, time: float, life: Life) -> Iterator[Record]:
        tally = self._alive.pop(life.number)
        if time - tally.since >= 1.0:
            yield self._window(tally, time)
        yield replace(_identity(life, life.start), ended=time)


HAPPENS = {
    BORN: Stream._born,
    DEPLOY: Stream._deploy,
    DONE: Stream._done,
    SAID: Stream._said,
    GONE: Stream._gone,
}


def _identity(life: Life, time: float) -> Identity:
    return Identity(
        time, life.replica, f"/kubepods/pod{life.number}/agent", WORKLOAD, life.revision, "cri", name="agent",
        pod=f"agents/support-agent-{life.number}", image=f"registry.example.org/support-agent:{life.revision}",
    )  # fmt: skip
