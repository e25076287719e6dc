"""Tool calls of events to where the values in their arguments came from, as far as the excerpts reach.

The events hold the user's words up to 2 KiB, results up to 512 bytes in a request and 2 KiB in an MCP call, and of the system
prompt a digest alone. So a value that is found nowhere is unknown here, with the reason; who has the full texts asks
`wire.provenance` itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from classifier.links.conversations import plain
from classifier.links.hijack import Signs, signs
from classifier.links.reading import Call, Llm, Result
from wire.provenance import CUT, UNKNOWN, USER, Origin, Source, origins

if TYPE_CHECKING:
    from classifier.links.linker import Graph

TURNS = 64  # of a conversation that are searched


def of_chain(graph: Graph, calls: Iterable[Call]) -> tuple[Origin, ...]:
    """The origins of the values of some tool calls, in their order."""
    return tuple(o for call in calls for o in of_call(graph, call))


def of_call(graph: Graph, call: Call) -> list[Origin]:
    """The origins of one call's values."""
    asker = graph.talk.asker(call)
    if asker is None:
        return origins(call.id, call.arguments, (), whole=False)
    talk = [asker, *graph.talk.above(asker.id)][:TURNS]
    # The system prompt's words are in no event.
    found = origins(call.id, call.arguments, _sources(graph, talk), whole=False)
    return found + [Origin(call.id, UNKNOWN, "", "", "arguments", why=CUT)] * call.cut


def signs_of(graph: Graph, call: Call) -> Signs:
    """What speaks against one call, as far as the excerpts reach; what is new for the agent is not known here."""
    asker = graph.talk.asker(call)
    talk = [asker, *graph.talk.above(asker.id)][:TURNS] if asker is not None else []
    return signs(call.name, call.arguments, _sources(graph, talk) if talk else [], {}, words=bool(talk))


def _sources(graph: Graph, talk: list[Llm]) -> list[Source]:
    out: dict[tuple[str, str], Source] = {}
    for call in talk:
        if call.user_digest:
            out.setdefault((USER, call.user_digest), Source(USER, call.user_turn, call.id, call.user_cut))
        for result in call.results:
            size = len(result.text.encode("utf-8", "replace"))
            source = Source(f"tool:{_name(graph, call, result)}", result.text, call.id, size < result.length)
            out.setdefault((source.name, result.digest or result.text), source)
    digests = {digest for _, digest in out}
    for call in talk:
        for tool in graph.talk.asked_by.get(call.id, ()):
            for mcp in graph.tools.run_by.get(tool.id, ()):
                if mcp.result_text and mcp.ended <= talk[0].began:  # longer than what the request's excerpt holds
                    out.pop((f"tool:{tool.name}", mcp.result), None)
                    out.setdefault(
                        ("mcp", mcp.id), Source(f"tool:{tool.name}", mcp.result_text, mcp.id, mcp.result_cut)
                    )
    return list(out.values()) if digests else []


def _name(graph: Graph, call: Llm, result: Result) -> str:
    if result.name or not result.id:
        return result.name or "unknown"
    path = [call, *graph.talk.above(call.id)]
    asked = (t for c in path for t in graph.talk.asked_by.get(c.id, ()) if plain(t.call) == plain(result.id))
    wanted = next((t.name for t in asked), "")
    return wanted or next((name for c in path for id_, name, _ in c.calls if plain(id_) == plain(result.id)), "unknown")
