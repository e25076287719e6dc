"""Facts of a workload, within bounds: what is oldest goes first, kind by kind, and what went is counted.

A flood of one kind displaces nothing of another, so a workload cannot flush its prompts by opening files.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from classifier.envelope.state import stored
from classifier.links.reading import Act, Fact

MOST = {"llm": 512, "tool": 2048, "mcp": 2048, "process": 4096, "file": 4096, "network": 4096, "coverage": 64}
SPARE = 8  # when full, an eighth goes at once
SHELVES = {"exec": "process", "fork": "process", "exit": "process", "llm": "llm", "tool": "tool", "mcp": "mcp"}
SHELVES |= {"egress": "network", "ingress": "network", "dns": "network", "tls": "network", "coverage": "coverage"}


def shelf(kind: str) -> str:
    """Which bound an event's kind falls under."""
    return SHELVES.get(kind, "file")


@stored
@dataclass(slots=True)
class Memory:
    """Facts by shelf and id.

    Args:
        most: of each shelf; those of `MOST` where it says nothing.
    """

    most: dict[str, int] = field(default_factory=dict)
    facts: dict[str, dict[str, Fact]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)  # by shelf
    pinned: dict[tuple[str, int], float] = field(default_factory=dict)  # node and pid of agents and servers

    def add(self, fact: Fact) -> None:
        """Keep a fact; a second one of the same id changes nothing."""
        name = shelf(fact.kind)
        held = self.facts.setdefault(name, {})
        if fact.id in held:
            return
        held[fact.id] = fact
        if name in ("llm", "mcp"):
            self._pin(fact)
        if len(held) > self.most.get(name, MOST[name]):
            self._make_room(name, held)

    def of(self, name: str) -> list[Fact]:
        """The facts of a shelf, by time."""
        return sorted(self.facts.get(name, {}).values(), key=lambda f: (f.time, f.id))

    def get(self, id_: str) -> Fact | None:
        """The fact of an event."""
        return next((held[id_] for held in self.facts.values() if id_ in held), None)

    def __len__(self) -> int:
        return sum(map(len, self.facts.values()))

    def _pin(self, fact: Fact) -> None:
        for pid in (fact.pid, getattr(fact, "peer", 0)):
            if pid:
                self.pinned.pop((fact.node, pid), None)
                self.pinned[fact.node, pid] = fact.time
        while len(self.pinned) > 256:
            del self.pinned[next(iter(self.pinned))]

    def _make_room(self, name: str, held: dict[str, Fact]) -> None:
        # An agent and its servers began long ago: their starts outlive the processes that come and go.
        def rank(fact: Fact) -> tuple[bool, float, str]:
            kept = name == "process" and isinstance(fact, Act) and (fact.node, fact.pid) in self.pinned
            return kept, fact.time, fact.id

        many = max(1, len(held) // SPARE)
        for fact in sorted(held.values(), key=rank)[:many]:
            del held[fact.id]
        self.dropped[name] = self.dropped.get(name, 0) + many
