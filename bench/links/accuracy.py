"""Made traces to precision and recall per kind of link, beside what a window of time would have found.

An edge that names alternatives is no claim: it counts for neither precision nor recall, and has columns of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.links.traces import SCENARIOS, made
from classifier.links.edges import EFFECTS, EGRESS, EXEC, FILE, KINDS, RUNS, TURN, Edge
from classifier.links.linker import Linker
from classifier.links.reading import Act, Call, Llm, read
from wire.records import Event

SEEDS = 40
WINDOW = 0.5  # seconds, of the baseline: the last call that began so shortly before
Link = tuple[str, str, str]


@dataclass(slots=True)
class Tally:
    """What was right, wrong, missed and left open, of one kind."""

    right: int = 0
    wrong: int = 0
    true: int = 0
    sets: int = 0  # edges that name alternatives
    held: int = 0  # of these, the true one is among them
    sizes: int = 0  # alternatives in all sets

    def row(self) -> dict[str, Any]:
        """As numbers of a table; None where there is nothing to divide by."""
        claims = self.right + self.wrong
        return {
            "links": self.true,
            "claims": claims,
            "precision": round(self.right / claims, 4) if claims else None,
            "recall": round(self.right / self.true, 4) if self.true else None,
            "sets": self.sets,
            "held": round(self.held / self.sets, 4) if self.sets else None,
            "size": round(self.sizes / self.sets, 2) if self.sets else None,
        }


@dataclass
class Result:
    """Tallies by kind, by scenario and kind, by kind and method, and of the baseline."""

    kinds: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    scenarios: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    methods: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    window: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    events: int = 0


def accuracy(seeds: Iterable[int] = range(SEEDS), names: Iterable[str] = tuple(SCENARIOS)) -> Result:
    """Every scenario with every seed."""
    found = Result()
    seeds = list(seeds)
    for name in names:
        for seed in seeds:
            events, truth = made(name, seed)
            found.events += len(events)
            _count(found, name, Linker().add_all(events).edges(), truth)
            for link in by_window(events):
                _claim(found.window[link[0]], link, truth)
            for kind, _, _ in truth:
                found.window[kind].true += 1
    return found


def rows(tallies: dict[Any, Tally], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """A table, in the order of the kinds."""
    names = [k if isinstance(k, tuple) else (k,) for k in tallies]
    values = list(tallies.values())
    order = sorted(range(len(names)), key=lambda i: [KINDS.index(n) if n in KINDS else -1 for n in names[i]])
    return [dict(zip(keys, names[i], strict=True)) | values[i].row() for i in order]


def by_window(events: list[Event]) -> list[Link]:
    """What linking by process and closeness in time finds: the last call of the process, at most half a second old."""
    facts = sorted((f for e in events if (f := read(e)) is not None), key=lambda f: (getattr(f, "began", f.time), f.id))
    out: list[Link] = []
    last: dict[tuple[str, int], Llm] = {}
    calls: list[Call] = []
    parents: dict[int, int] = {}
    for fact in facts:
        if isinstance(fact, Llm):
            if before := last.get((fact.replica, fact.pid)):
                out.append((TURN, before.id, fact.id))
            last[fact.replica, fact.pid] = fact
        elif isinstance(fact, Call):
            if fact.kind == "mcp":
                near = [c for c in calls if c.kind == "tool" and _fits(c, fact) and 0 <= fact.began - c.began <= WINDOW]
                out += [(RUNS, c.id, fact.id) for c in near[-1:]]
            calls.append(fact)
        elif isinstance(fact, Act):
            if fact.parent:
                parents[fact.pid] = fact.parent
            kind = {"exec": EXEC, "open": FILE, "egress": EGRESS}.get(fact.kind)
            above = _above(fact.pid, parents)
            near = [c for c in calls if 0 <= fact.time - c.began <= WINDOW and above & {c.pid, c.peer}]
            out += [(kind, c.id, fact.id) for c in near[-1:] if kind]
    return out


def _fits(tool: Call, mcp: Call) -> bool:
    return tool.name.endswith(mcp.name)


def _above(pid: int, parents: dict[int, int]) -> set[int]:
    found = {pid}
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.add(pid)
    return found - {0, 1}


def _count(found: Result, name: str, edges: list[Edge], truth: set[Link]) -> None:
    for edge in edges:
        link = (edge.kind, edge.source, edge.target)
        group = "effects" if edge.kind in EFFECTS else edge.kind
        for tally in (found.kinds[edge.kind], found.scenarios[name, edge.kind], found.methods[group, edge.method]):
            if edge.ambiguous:
                tally.sets += 1
                tally.sizes += 1 + len(edge.ambiguous)
                tally.held += any((edge.kind, s, edge.target) in truth for s in (edge.source, *edge.ambiguous))
            else:
                _claim(tally, link, truth)
    for kind, many in Counter(kind for kind, _, _ in truth).items():
        found.kinds[kind].true += many
        found.scenarios[name, kind].true += many


def _claim(tally: Tally, link: Link, truth: set[Link]) -> None:
    if link in truth:
        tally.right += 1
    else:
        tally.wrong += 1
