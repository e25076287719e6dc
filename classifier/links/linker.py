"""Events of a workload to links, whatever order they come in, within bounds.

The facts are kept, the links are drawn when somebody asks: so what came late counts like what came in time, and the order
of arrival decides nothing. Several workloads may share a linker; a chain then crosses from agent to agent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from classifier.links import chain
from classifier.links.conversations import Conversations
from classifier.links.doubles import doubles
from classifier.links.edges import Chain, Edge
from classifier.links.effects import Effects
from classifier.links.inputs import Inputs
from classifier.links.lives import Lives
from classifier.links.memory import Memory
from classifier.links.reading import ACTS, Act, Call, Fact, Llm, read
from classifier.links.tools import Tools
from wire.records import Event


class Graph:
    """All links of the facts that are kept, drawn once."""

    def __init__(self, memory: Memory) -> None:
        process = [f for f in memory.of("process") if isinstance(f, Act)]
        network = [f for f in memory.of("network") if isinstance(f, Act)]
        files = [f for f in memory.of("file") if isinstance(f, Act)]
        llms = [f for f in memory.of("llm") if isinstance(f, Llm)]
        mcps = [f for f in memory.of("mcp") if isinstance(f, Call)]
        self.facts: dict[str, Fact] = {f.id: f for name in memory.facts for f in memory.of(name)}
        tools = [f for f in memory.of("tool") if isinstance(f, Call)]
        self.stands = doubles(llms, tools)  # a told event → the seen one that stands for it
        llms = [c for c in llms if c.id not in self.stands]
        self.lives = Lives(process)
        self.talk = Conversations(llms, (t for t in tools if t.id not in self.stands))
        self.tools = Tools(self.talk, mcps, self.lives)
        acts = [a for a in (*process, *files, *network) if a.kind in ACTS]
        self.effects = Effects(acts, self.tools.spans, llms, self.lives)
        self.inputs = Inputs(self.talk, llms, mcps, (f for f in network if f.kind == "ingress"))
        parts = (self.inputs, self.talk, self.tools, self.effects)
        self.edges: list[Edge] = [e for part in parts for e in part.edges]
        self.into: dict[str, list[Edge]] = defaultdict(list)
        self.out: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            self.into[edge.target].append(edge)
            for source in (edge.source, *edge.ambiguous):
                self.out[source].append(edge)


class Linker:
    """Takes events, answers with chains.

    Args:
        memory: What is kept; give one with other bounds where there is room.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = Memory() if memory is None else memory
        self._graph: Graph | None = None

    def add(self, event: Event) -> None:
        """Take an event in; one that has no part in links changes nothing."""
        fact = read(event)
        if fact is not None:
            self.memory.add(fact)
            self._graph = None

    def add_all(self, events: Iterable[Event]) -> Linker:
        """Take events in."""
        for event in events:
            self.add(event)
        return self

    @property
    def graph(self) -> Graph:
        """All links there are now."""
        if self._graph is None:
            self._graph = Graph(self.memory)
        return self._graph

    def edges(self) -> list[Edge]:
        """All links there are now, by time of the target."""
        facts = self.graph.facts
        return sorted(self.graph.edges, key=lambda e: (facts[e.target].time, e.target, e.kind, e.source))

    def chain_of(self, ids: Iterable[str]) -> Chain:
        """What led to these events, and what came of it.

        Args:
            ids: Of events, such as the evidence of a finding. An id that is not known is told as unlinked.
        """
        stands = self.graph.stands
        return chain.assembled(self.graph, list(dict.fromkeys(stands.get(i, i) for i in ids)), self.memory.dropped)
