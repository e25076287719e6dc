"""Chains to behaviours: tools in order, effects by class, per workflow.

A workflow is known by the first tool of a user's turn: a support agent's turn begins with `get_ticket`, its export with
`list_accounts`. Steps count as `chain:FIRST>BEFORE>TOOL`, effects as `chain:FIRST>TOOL>@CLASS`. So an agent of T tools has at most
T^3 + 11 T^2 of them, whatever it is told, and one long turn makes no name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from classifier.links.edges import EFFECTS
from classifier.links.reading import Act, Call, Llm
from wire.records import Behaviour, Use

if TYPE_CHECKING:
    from classifier.links.linker import Graph, Linker

NAME = 48  # characters of a tool
SHOWN = 8  # elements of a whole chain
ODD = re.compile(r"[^\w.-]+")
DATABASES = frozenset([1433, 1521, 3306, 5432, 6379, 9042, 9200, 27017])
MAIL = frozenset([25, 465, 587, 2525])
STORES = re.compile(r"(?:^|[.-])(?:s3|storage|blob|minio)(?:[.-]|$)")
CLASSES = ("s3", "mail", "db", "ssh", "dns", "net", "exec", "write", "secret", "identity", "read", "call")


@dataclass(frozen=True, slots=True)
class Path:
    """The chain of one user's turn."""

    behaviour: str  # "chain:ticket>search>s3"; "" where no tool was called
    workflow: str


def element(name: str) -> str:
    """A tool's name as part of a behaviour.

    >>> element("read file>x")
    'read_file_x'
    """
    return ODD.sub("_", name)[:NAME] or "_"


def effect_class(act: Act) -> str:
    """What kind of thing was done.

    >>> effect_class(Act("i", "egress", 1.0, "n", "n/1/0", 7, words=("acme-export.s3.example.org",), port=443))
    's3'
    """
    if act.kind in ("egress", "tls"):
        if any(STORES.search(w) for w in act.words):
            return "s3"
        by_port = {22: "ssh", 53: "dns"} | dict.fromkeys(DATABASES, "db") | dict.fromkeys(MAIL, "mail")
        return by_port.get(act.port, "net")
    if act.kind == "open":
        head = act.behaviour.split(":")
        return "write" if head[0] == "write" else "secret" if head[1:2] == ["secret"] else "read"
    return {"exec": "exec", "identity": "identity", "dns": "dns"}.get(act.kind, "call")


def path(graph: Graph, ids: Iterable[str]) -> Path:
    """The whole chain of some events: tools in order, each with the classes of what it did behind it."""
    tools = _in_order(graph, ids)
    if not tools:
        return Path("", "")
    found: list[str] = []
    for tool in tools:
        for part in (element(tool.name), *sorted(_effects(graph, tool) - {"read", "dns"})):
            if not found or found[-1] != part:
                found.append(part)
    shown = found if len(found) <= SHOWN else [*found[: SHOWN - 1], "…"]
    return Path("chain:" + ">".join(shown), element(tools[0].name))


def uses(linker: Linker, since: float = float("-inf")) -> list[Use]:
    """What the turns of all conversations show, for an envelope to learn: counts, first times, evidence.

    Args:
        since: Seconds; only calls that were asked for from then on count.
    """
    graph = linker.graph
    turns: dict[tuple[str, str], list[str]] = {}
    for call in graph.talk.llms.values():
        mine = [t.id for t in graph.talk.asked_by.get(call.id, ())]
        turns.setdefault((_turn(graph, call)), []).extend(mine)
    out: dict[str, Use] = {}
    for ids in turns.values():
        tools = _in_order(graph, ids)
        for n, tool in enumerate(tools):
            if tool.time >= since:
                before = tools[n - 1].name if n else ""
                for behaviour in _shown(graph, tools[0].name, before, tool):
                    _count(out, behaviour, tool)
    return [out[b] for b in sorted(out)]


def step(first: str, before: str, tool: str) -> Behaviour | None:
    """The behaviour of one tool call in its turn; None where a tool is only called again.

    >>> step("get_ticket", "", "get_ticket"), step("get_ticket", "get_ticket", "search"), step("get_ticket", "search", "put")
    ('chain:get_ticket', 'chain:get_ticket>search', 'chain:get_ticket>search>put')
    """
    if before == tool:
        return None
    parts = [element(n) for n in (first, before, tool) if n]
    return Behaviour("chain:" + ">".join(p for n, p in enumerate(parts) if not (n and p == parts[0] == parts[n - 1])))


def _shown(graph: Graph, first: str, before: str, tool: Call) -> Iterable[Behaviour]:
    if behaviour := step(first, before, tool.name):
        yield behaviour
    head = dict.fromkeys((element(first), element(tool.name)))
    for kind in sorted(_effects(graph, tool)):
        yield Behaviour(f"chain:{'>'.join(head)}>@{kind}")


def _in_order(graph: Graph, ids: Iterable[str]) -> list[Call]:
    tools = [graph.talk.tools[i] for i in ids if i in graph.talk.tools]
    return sorted(tools, key=lambda t: (t.began, t.time, t.index, t.id))


def _effects(graph: Graph, tool: Call) -> set[str]:
    """Classes of what a call did, itself or through its server; what may be another's does not count."""
    found: set[str] = set()
    for id_ in (tool.id, *(m.id for m in graph.tools.run_by.get(tool.id, ()))):
        for edge in graph.out.get(id_, ()):
            act = graph.facts.get(edge.target)
            if edge.kind in EFFECTS and not edge.ambiguous and isinstance(act, Act):
                found.add(effect_class(act))
    return found


def _turn(graph: Graph, call: Llm) -> tuple[str, str]:
    return graph.talk.root(call.id), call.user_digest


def _count(out: dict[str, Use], behaviour: Behaviour, tool: Call) -> None:
    old = out.get(behaviour)
    if old is None:
        out[behaviour] = Use(behaviour, 1, first=tool.time, evidence=(tool.id,))
    else:
        evidence = (*old.evidence, tool.id)[:8]
        out[behaviour] = Use(behaviour, old.count + 1, first=min(old.first, tool.time), evidence=evidence)
