"""What replicas did to the events and windows that a sensor would send of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from classifier.lab.breach.setting import WORKER, Life, Lineage
from classifier.lab.breach.turns import Act
from classifier.lab.calls import COST, START_UP, novelty, trigrams
from classifier.lab.world import HOUR
from wire.records import Behaviour, Event, Use, Window

EVIDENCE = 8  # ids of a use
LISTEN = Behaviour("ingress:tcp:8080")
CHECKS = 300.0  # seconds between health checks
WAITS = 60  # times the calls of an hour of the lab's other fleets: ten seconds must be enough to look usual
BEGINNING = tuple(
    Behaviour(b)
    for b in ("exec:/usr/bin/python3.11<containerd-shim", "open:code:/app/agent.py", "open:config:/app/settings.yaml")
)


class Numbers:
    """Ids of events: nanoseconds of their time, ever growing on a node."""

    def __init__(self, epoch: str, start: float) -> None:
        self._epoch, self._start, self._last = epoch, start, dict[str, int]()

    def id(self, node: str, time: float, mark: str = "") -> str:
        """The id of an event of this time."""
        n = self._last[node] = max(int((time - self._start) * 1e9), self._last.get(node, 0) + 1)
        return f"{node}/{self._epoch}/{n}{mark}"


@dataclass(slots=True)
class Tally:
    """One replica between two windows."""

    life: Life
    since: float  # seconds, end of its last window
    seen: set[Behaviour] = field(default_factory=set)
    uses: dict[Behaviour, Use] = field(default_factory=dict)
    grams: set[int] = field(default_factory=set)

    def begin(self, numbers: Numbers) -> Iterator[Event]:
        """Its container starts."""
        self.grams.update(START_UP)
        for behaviour in (*BEGINNING, LISTEN):
            yield from self.take(Act(self.life.start, behaviour, WORKER, self.life.pid), numbers)

    def take(self, act: Act, numbers: Numbers) -> Iterator[Event]:
        """Count an act; the event that tells it, where it is an exec or new to this replica."""
        kind = act.behaviour.partition(":")[0]
        new = act.behaviour not in self.seen
        evidence: tuple[str, ...] = ()
        if new or kind == "exec":
            id_ = numbers.id(self.life.node, act.time)
            evidence = (id_,)
            yield Event(id_, act.time, self.life.replica, kind, act.behaviour, _fields(act, kind))
        if new:
            self.seen.add(act.behaviour)
            self.grams |= trigrams(act.behaviour, novelty(act.behaviour, kind))
        self.count(act.behaviour, act.time, evidence, act.lineage, act.count, act.out, act.into)

    def count(
        self, behaviour: Behaviour, time: float, ids: tuple[str, ...], lineage: Lineage, count: int, out: int, into: int
    ) -> None:
        """Add to the use of a behaviour in this window."""
        old = self.uses.get(behaviour)
        if old is None:
            data = {"lineage": lineage}
            self.uses[behaviour] = Use(behaviour, count, out, into, time, ids, data)
            return
        kept = (*old.evidence, *ids)[:EVIDENCE]
        self.uses[behaviour] = Use(
            behaviour, old.count + count, old.bytes_out + out, old.bytes_in + into, old.first, kept, old.data
        )

    def window(self, end: float, usual: Mapping[int, int]) -> Window:
        """What it did since the last one.

        Args:
            usual: Calls of an ordinary hour.
        """
        start, self.since = self.since, end
        checks = int(end // CHECKS) - int(start // CHECKS)
        if checks > 0:
            self.count(LISTEN, start, (), WORKER, checks, 700 * checks, 200 * checks)
        calls = self._calls(usual, (end - start) / HOUR)
        uses = tuple(self.uses[b] for b in sorted(self.uses))
        grams = tuple(sorted(self.grams))
        self.uses, self.grams = {}, set()
        return Window(self.life.replica, start, end, uses, calls, grams)

    def _calls(self, usual: Mapping[int, int], share: float) -> dict[int, int]:
        """An agent waits with many calls and works with few more; a share of an hour has that share of them."""
        calls = {n: int(WAITS * c * share) for n, c in usual.items()}
        for use in self.uses.values():
            for n, c in COST.get(use.behaviour.partition(":")[0], {}).items():
                calls[n] = calls.get(n, 0) + c * use.count
        return {n: c for n, c in calls.items() if c}


def _fields(act: Act, kind: str) -> dict[str, str | int | float]:
    image = act.lineage.partition("<")[0]
    data: dict[str, str | int | float] = {"pid": act.pid, "lineage": act.lineage, "image": image}
    if kind == "egress":
        host = act.behaviour.split(":")[2]
        return data | {"name": host, "address": f"203.0.113.{10 + len(host) % 100}", "port": 443}
    if kind == "exec":
        path = act.behaviour[5:].partition("<")[0]
        return data | {"path": path, "argv": path, "ppid": act.pid - 1, "uid": 1000}
    return data | ({"path": act.behaviour.split(":", 2)[2], "uid": 1000} if kind == "open" else {"port": 8080})
