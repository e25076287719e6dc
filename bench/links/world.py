"""A small machine that runs agents and writes down both what a sensor would tell and what was really so."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import Any

from classifier.links.edges import RETURNS, TURN
from wire.digests import canonical, chained
from wire.records import Event, Replica

SYSTEM = "3f" * 32
TIMES = ("began", "ended", "answered", "request_ended")


def digest(text: str) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Ways:
    """How a world behaves. Shares are of calls or events."""

    parallel: float = 0.0  # answers that ask for several tools, which then run at once
    retries: float = 0.0  # model requests that fail first, and MCP calls that are sent twice
    streaming: float = 0.0  # answers whose tools start before the stream ends
    lost: float = 0.0  # events that are never delivered
    reuse: bool = False  # pids come from a pool of eight
    agents: int = 1  # in one pod, with one prompt and the same tools
    skew: float = 0.0  # seconds by which the clock of the other node is off; 0.0: there is no other node
    nameless: float = 0.0  # conversations over an API without call ids
    noise: float = 0.0  # acts per call that no call made
    same: bool = False  # agents get the same work at the same time
    shells: float = 0.0  # shell commands that go to one shell that stays
    daemons: float = 0.0  # shell commands that leave a child that acts later
    workers: float = 0.0  # tool calls that go to an agent on the other node
    traced: float = 0.0  # of these, those that carry a trace id


@dataclass
class World:
    """Events and truth of one run of some agents."""

    rng: random.Random
    ways: Ways
    now: float = 1_800_000_000.0
    node: str = "n1"
    events: list[Event] = field(default_factory=list)
    truth: set[tuple[str, str, str]] = field(default_factory=set)  # kind, source, target
    _ids: int = 0
    _pids: int = 1000
    _pool: list[int] = field(default_factory=list)

    def emit(self, replica: Replica, kind: str, time: float, data: dict[str, Any], behaviour: str | None = None) -> str:
        """One event; its id."""
        self._ids += 1
        id_ = f"{replica.node}/e/{self._ids:06d}"
        self.events.append(self._told(id_, replica, kind, time, data, behaviour))
        return id_

    def tell_again(self, id_: str, time: float, data: dict[str, Any]) -> None:
        """An event that is only now complete."""
        at = next(n for n in range(len(self.events) - 1, -1, -1) if self.events[n].id == id_)
        old = self.events[at]
        self.events[at] = self._told(id_, old.replica, old.kind, time, data, old.behaviour)

    def _told(self, id_: str, replica: Replica, kind: str, time: float, data: dict[str, Any], behaviour: Any) -> Event:
        """By the clock of its node."""
        off = 0.0 if replica.node == self.node else self.ways.skew
        kept = {k: v + off if k in TIMES and v else v for k, v in data.items() if v not in ("", None)}
        return Event(id_, round(time + off, 6), replica, kind, behaviour, kept)

    def link(self, kind: str, source: str, target: str) -> None:
        """This is so."""
        self.truth.add((kind, source, target))

    def wait(self, low: float, high: float) -> float:
        """Let time pass; the time then."""
        self.now += self.rng.uniform(low, high)
        return self.now

    def pid(self) -> int:
        """A pid for a new process."""
        if not self.ways.reuse:
            self._pids += 1
            return self._pids
        if not self._pool:
            self._pool = [9000 + n for n in range(8)]
        return self._pool.pop(0)

    def gone(self, pid: int) -> None:
        """A process has ended; its pid may come again."""
        if self.ways.reuse and pid >= 9000:
            self._pool.append(pid)

    def delivered(self) -> tuple[list[Event], set[tuple[str, str, str]]]:
        """What arrives, in the order in which it arrives, and the links of which both ends arrived."""
        kept = [e for e in self.events if self.rng.random() >= self.ways.lost]
        ids = {e.id for e in kept}
        late = [(e.time + self.rng.uniform(0, 2.0), e) for e in kept]
        order = [e for _, e in sorted(late, key=lambda pair: (pair[0], pair[1].id))]
        truth = {self._bridged(link, ids) for link in self.truth}
        return order, {t for t in truth if t[1] in ids and t[2] in ids}

    def _bridged(self, link: tuple[str, str, str], ids: set[str]) -> tuple[str, str, str]:
        """A call goes on from the last call before it that arrived; a result is first held by the first that arrived."""
        kind, source, target = link
        if kind not in (TURN, RETURNS) or (source in ids and target in ids):
            return link
        back = {t: s for k, s, t in self.truth if k == TURN}
        on = {s: t for k, s, t in sorted(self.truth, reverse=True) if k == TURN}
        while kind == TURN and source not in ids and source in back:
            source = back[source]
        while kind == RETURNS and target not in ids and target in on:
            target = on[target]
        return kind, source, target


class Talk:
    """A conversation as a model API sees it: a history that grows, and digests over it."""

    def __init__(self, *, nameless: bool) -> None:
        self.nameless = nameless
        self.turns: list[tuple[str, str, str]] = []
        self.results: list[dict[str, Any]] = []
        self.user = ""
        self._chain = digest("")
        self._add("system", SYSTEM)

    def says(self, text: str) -> None:
        """The user's next turn."""
        self.user = text
        self._add("user", digest(f"user:{text}"))

    def answers(self, text: str, calls: list[tuple[str, str]]) -> tuple[str, str]:
        """The model's turn; its digest and the chain with it. It goes into the history."""
        self._add("assistant", digest(f"assistant:{text}:{calls}"))
        return self.turns[-1][1], self.turns[-1][2]

    def returns(self, id_: str, name: str, text: str, *, failed: bool = False) -> None:
        """A tool's result."""
        row = {"name": name} if self.nameless else {"id": id_}
        row |= {"digest": digest(text), "text": text[:512], "length": len(text), "failed": int(failed)}
        self.results.append(row)
        self._add("tool", digest(f"tool:{text}"))

    @property
    def history(self) -> str:
        """As the event tells it."""
        return json.dumps([list(t) for t in self.turns[-48:]], separators=(",", ":"))

    def _add(self, role: str, d: str) -> None:
        self._chain = chained(self._chain, d)
        self.turns.append((role, d, self._chain))


def arguments_of(value: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event that holds arguments."""
    text = canonical(value)
    return {"arguments": text[:2048], "arguments_digest": digest(text), "arguments_length": len(text)}
