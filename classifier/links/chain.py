"""Links around some events to one chain: back to the trigger, then to all effects of that turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from classifier.links import behaviours, origins
from classifier.links.edges import (
    AGENT,
    EFFECTS,
    INBOUND,
    INPUT,
    NOT_CAPTURED,
    RETURNS,
    SERVES,
    TIME,
    TURN,
    USER_TURN,
    Chain,
    Edge,
    Trigger,
)
from classifier.links.layers import layers
from classifier.links.reading import Act, Call, Fact, Llm, near

if TYPE_CHECKING:
    from classifier.links.linker import Graph

CAUSES = (INPUT, AGENT)
MOST = 512  # events of a chain
NEAREST = 3
EXCERPT = 512  # characters


def assembled(graph: Graph, ids: list[str], dropped: Mapping[str, int]) -> Chain:
    """The chain that some events belong to."""
    found = _down(graph, up(graph, ids))
    within = set(found)
    edges = [e for e in graph.edges if e.target in within and within & {e.source, *e.ambiguous}]
    edges.sort(key=lambda e: (graph.facts[e.target].time, e.target, e.kind, e.source))
    facts = sorted((graph.facts[i] for i in {*found, *ids} if i in graph.facts), key=lambda f: (f.time, f.id))
    linked = {e.target for e in edges} | {e.source for e in edges}
    trigger = _trigger(graph, facts, edges)
    path = behaviours.path(graph, found)
    return Chain(
        trigger=trigger,
        edges=tuple(edges),
        layers=layers(facts, graph.facts.values(), dropped),
        events=tuple(f.id for f in facts),
        agents=tuple(dict.fromkeys(f.replica for f in facts)),
        unlinked=tuple(i for i in ids if i not in linked),
        possible=_possible(graph, trigger, facts),
        origins=origins.of_chain(graph, [f for f in facts if isinstance(f, Call) and f.kind == "tool"]),
        behaviour=path.behaviour,
        workflow=path.workflow,
        lost=_lost(graph, facts, dropped, len(found)),
    )


def up(graph: Graph, ids: Iterable[str]) -> list[str]:
    """These events and all that led to them, within the turn."""
    found: dict[str, None] = {}
    queue = [i for i in ids if i in graph.facts]
    while queue and len(found) < MOST:
        id_ = queue.pop()
        if id_ in found:
            continue
        found[id_] = None
        for edge in graph.into.get(id_, ()):
            # A server began long before and served everybody since: it leads to no single call.
            if edge.kind == SERVES or not _same_turn(graph, edge):
                continue
            queue += [edge.source, *edge.ambiguous]
    return list(found)


def _down(graph: Graph, ids: list[str]) -> list[str]:
    """And all that came of the calls among them, within the turn."""
    found = dict.fromkeys(ids)
    queue = [i for i in ids if isinstance(graph.facts[i], Llm | Call)]
    while queue and len(found) < MOST:
        id_ = queue.pop(0)
        for edge in graph.out.get(id_, ()):
            if edge.target in found or not _same_turn(graph, edge):
                continue
            found[edge.target] = None
            if isinstance(graph.facts[edge.target], Llm | Call):
                queue.append(edge.target)
    return list(found)


def _same_turn(graph: Graph, edge: Edge) -> bool:
    """Whether an edge stays within one user's turn; the last results of a turn may come with the next one's words."""
    one, other = graph.facts[edge.source], graph.facts[edge.target]
    if edge.kind == RETURNS and isinstance(one, Call):
        one = graph.talk.asker(one) or one
    both = isinstance(one, Llm) and isinstance(other, Llm)
    return edge.kind not in (TURN, RETURNS) or not both or one.user_digest == other.user_digest


def leads(graph: Graph, id_: str) -> list[Trigger]:
    """Every turn or request that an event may come of, the earliest first; one, where its links leave no choice.

    Unlike in a chain, what stands in `ambiguous` counts like the source beside it. An event that is not known leads nowhere.
    """
    found = up(graph, [graph.stands.get(id_, id_)])
    within = set(found)
    edges = [e for i in found for e in graph.into.get(i, ()) if within & {e.source, *e.ambiguous}]
    edges = [e for e in edges if e.kind != SERVES]
    facts = sorted((graph.facts[i] for i in found), key=lambda f: (f.time, f.id))
    firsts, inbound = _heads(facts, edges, {s for e in edges if e.kind in CAUSES for s in (e.source, *e.ambiguous)})
    turns = [_turn(f) for f in firsts if f.user_digest]
    if inbound and not (turns and (turns[0].time or 0.0) <= inbound[0].time):
        turns = [_request(f) for f in inbound]
    told: dict[str, Trigger] = {}
    for turn in turns:
        told.setdefault(turn.digest or turn.event, turn)
    return list(told.values())


def _heads(facts: list[Fact], edges: list[Edge], sources: set[str]) -> tuple[list[Llm], list[Fact]]:
    """Model calls that nothing led to, and the requests among `sources` that nothing led to."""
    led = {e.target for e in edges}
    targets = {e.target for e in edges if e.kind in (TURN, *CAUSES)}
    firsts = [f for f in facts if isinstance(f, Llm) and f.id not in targets and not f.served]
    return firsts, [f for f in facts if f.id in sources and f.id not in led]


def _turn(first: Llm) -> Trigger:
    words = "the user's turn as the first request held it"
    excerpt = first.user_turn[:EXCERPT]
    return Trigger(USER_TURN, first.id, excerpt, first.user_digest, first.began, first.basis, why=words)


def _request(fact: Fact) -> Trigger:
    excerpt = fact.arguments[:EXCERPT] if isinstance(fact, Call) else ""
    digest = fact.digest if isinstance(fact, Call) else ""
    return Trigger(INBOUND, fact.id, excerpt, digest, fact.time, fact.basis, why="a request of another service")


def _trigger(graph: Graph, facts: list[Fact], edges: list[Edge]) -> Trigger:
    firsts, inbound = _heads(facts, edges, {e.source for e in edges if e.kind in CAUSES})
    first = firsts[0] if firsts else None
    if first is not None and first.user_digest and not (inbound and inbound[0].time < first.began):
        turn = _turn(first)
        if len(firsts) == 1:
            return turn
        return replace(turn, why=f"{turn.why}; {len(firsts)} conversations meet here, the earliest stands")
    if inbound:
        return _request(inbound[0])
    why = "its words were not captured" if first is not None else "no model call leads to these events"
    return Trigger(NOT_CAPTURED, nearest=tuple(f.id for f in _nearest(graph, facts)), why=why)


def _nearest(graph: Graph, facts: list[Fact]) -> list[Act]:
    """The inbound flows before the chain began, the closest first."""
    if not facts:
        return []
    start, where = facts[0].time, {f.replica for f in facts}
    flows = [f for f in graph.facts.values() if f.kind == "ingress" and f.replica in where and isinstance(f, Act)]
    return sorted((f for f in flows if f.time <= start), key=lambda f: (start - f.time, f.id))[:NEAREST]


def _possible(graph: Graph, trigger: Trigger, facts: list[Fact]) -> tuple[Edge, ...]:
    """The one inbound flow that closeness alone speaks for; none where two are as close as the clocks are wrong."""
    first = next((f for f in facts if isinstance(f, Llm)), facts[0] if facts else None)
    if first is None or trigger.kind == INBOUND:
        return ()
    at = getattr(first, "began", first.time)
    flows = _nearest(graph, [first])
    if not flows or (len(flows) > 1 and flows[0].time - flows[1].time <= near(flows[0], first)):
        return ()
    error = near(flows[0], first)
    words = f"the last inbound conversation to begin, {at - flows[0].time:.1f} s before; possible link (time)"
    return (Edge(flows[0].id, first.id, INPUT, TIME, "inferred", why=words, error=error),)


def _lost(graph: Graph, facts: list[Fact], dropped: Mapping[str, int], size: int) -> tuple[str, ...]:
    out = [f"{many} older {name} events were let go, for the bound" for name, many in sorted(dropped.items())]
    ids = {f.id for f in facts}
    orphans = [t for t in graph.talk.orphans if t in ids]
    if orphans:
        out.append(f"{len(orphans)} tool calls whose model call was not received")
    if size >= MOST:
        out.append(f"the chain is cut at {MOST} events")
    partial = [f for f in facts if getattr(f, "partial", "")]
    if partial:
        out.append(f"{len(partial)} calls were captured in part")
    unsure = sum(bool(e.ambiguous) for e in graph.edges if e.target in ids and e.kind in EFFECTS)
    if unsure:
        out.append(f"{unsure} effects may be of another call that ran at the same time")
    return tuple(out)
