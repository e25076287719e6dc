"""Records of the decoder to events of the stream: flat, bounded, with the texts that the decoder has redacted already.

`Teller.events` is the one road, for TLS and for pipes; docs/records.md lists the fields. A value that is not known is left out.
An excerpt stands beside the digest and the length of its original; a list that was cut says so in `partial`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sensor.observe.applayer.records import LlmCall, McpCall, Record, ToolCall, ToolDefinition, ToolResult
from wire.fields import (
    HISTORY,
    NAME,
    SHORT,
    Data,
    as_json,
    cut,
    escaped,
    excerpt,
    fitting,
    is_too_large,
    sendable,
    spelled,
    text_fields,
    words,
)
from wire.records import Behaviour, Event, Replica


@dataclass(frozen=True, slots=True)
class Context:
    """Who said it, and how it was captured."""

    replica: Replica
    source: str  # "tls" or "stdio"
    connection: str = ""  # opaque, unique per node and epoch
    pid: int = 0  # of the observed process, by its leader, as the host counts
    image: str = ""
    lineage: str = ""
    peer: int = 0  # process at the other end of a pipe; 0: not known


class Teller:
    """Makes the events of one source, each with an id of its own.

    Args:
        node, epoch: Go into the ids, as in all events.
        mark: A letter behind the number that no other maker of ids of this sensor uses: "t" for TLS, "s" for pipes.
    """

    def __init__(self, *, node: str, epoch: str, mark: str) -> None:
        self._node, self._epoch, self._mark, self._last = node, epoch, mark, 0

    def events(self, record: Record, *, context: Context) -> Iterator[Event]:
        """A model call and behind it its tool calls; an MCP call; nothing for the rest.

        A `ToolCall` is told with the `LlmCall` that holds it. Of `Uncovered` the coverage of its process tells.
        """
        if isinstance(record, LlmCall):
            call = self._event("llm", _ended(record), None, _llm(record), context)
            yield call
            defined = {tool.name: tool.digest for tool in record.tools} if record.calls else {}
            for tool in record.calls:
                yield self._tool(tool, defined.get(tool.name, ""), call, context)
        elif isinstance(record, McpCall):
            yield self._event("mcp", _ended(record), _mcp_behaviour(record), _mcp(record), context)

    def coverage(self, time: float, data: Data, *, context: Context) -> Event:
        """Where a process stands from now on: `rung reason library`."""
        return self._event("coverage", time, None, data, context)

    def _tool(self, tool: ToolCall, definition: str, llm: Event, context: Context) -> Event:
        name = spelled(tool.name)
        data: Data = {"name": name, "index": tool.index, "llm": llm.id, "exchange": tool.place.exchange}
        data |= {"id": tool.id.value or "", "role": tool.place.role, "ended": llm.time, "partial": words(tool.partial)}
        data |= text_fields("arguments", tool.arguments) | {"digest": definition}
        own = tool.place.role == "client"  # who serves a model only passes on what it asks for
        return self._event("tool", llm.time, cut(f"tool:{name}") if own else None, data, context)

    def _event(self, kind: str, time: float, behaviour: Behaviour | None, data: Data, context: Context) -> Event:
        self._last = max(int(time * 1e6) * 1000, self._last + 1)
        who: Data = {"pid": context.pid, "image": context.image[:NAME], "lineage": context.lineage[:NAME]}
        who |= {"source": context.source, "basis": "verified", "connection": context.connection, "peer": context.peer}
        kept = {k: v for k, v in who.items() if v not in ("", 0)}
        kept |= {k: sendable(v) for k, v in data.items() if v not in ("", None) and not is_too_large(v)}
        id_ = f"{self._node}/{self._epoch}/{self._last}{self._mark}"
        return Event(id_, time, context.replica, kind, behaviour, kept)


# -- fields ----------------------------------------------------------------------------------------------------------


def _llm(call: LlmCall) -> Data:
    place, usage, system, answer = call.place, call.usage.value, call.system.value, call.answer.value
    cut: list[str] = []
    newest = [[m.role, m.digest, m.chain] for m in reversed(call.history[-HISTORY:])]
    data: Data = {
        **{"api": call.api.value, "host": place.host, "path": place.path, "status": place.status, "role": place.role},
        **{"streamed": int(call.streamed), "exchange": place.exchange, "turns": len(call.history)},
        **{"model_asked": call.model_asked.value, "model_answered": call.model_answered.value},
        **{"system": system and system.identity, "system_digest": system and system.digest},
        "tools": _tools(call.tools, cut),
        "history": as_json(list(reversed(fitting("history", newest, cut)))),
        **{"answer": answer and answer.digest, "answer_chain": answer and answer.chain},
        "answer_digest": call.text.value and call.text.value.digest,
        **text_fields("user_turn", call.user_turn.value),
        "results": as_json(fitting("results", map(_result, call.results), cut)),
        **({"redaction": call.results[0].content.policy} if call.results else {}),
        "calls": as_json(fitting("calls", map(_call, call.calls), cut)),
        **{"finish": call.finish.value, "response_id": call.response_id.value, "continues": call.continues.value},
        **{"tokens_in": usage and usage.input, "tokens_out": usage and usage.output},
        "traceparent": call.trace.traceparent,
        "error": excerpt(call.error.value.redacted, SHORT) if call.error.value else None,
        **_spans(call),
    }
    return data | {"partial": words((*cut, *call.partial))}


def _mcp(call: McpCall) -> Data:
    place, server = call.place, call.server.value
    cut: list[str] = []
    data: Data = {
        **{"transport": call.transport, "method": call.method, "id": call.id, "by": call.by},
        **{"host": place.host, "path": place.path, "status": place.status, "role": place.role},
        **{"exchange": place.exchange, "generation": call.generation.value, "failed": int(call.failed)},
        **{"server": server and server.name, "version": server and server.version},
        "protocol": server and server.protocol,
        "tool": spelled(call.tool) if call.tool else None,
        **text_fields("arguments", call.arguments),
        **text_fields("result", call.result),
        "error": f"{call.error[0]} {excerpt(call.error[1].redacted, SHORT)}" if call.error else None,
        "tools": _tools(call.tools, cut),
        "traceparent": call.trace.traceparent,
        **_spans(call),
    }
    return data | {"partial": words((*cut, *call.partial))}


def _mcp_behaviour(call: McpCall) -> Behaviour | None:
    if call.method != "tools/call" or not call.tool or call.server.value is None:
        return None
    server = escaped(call.server.value.name[:NAME]).replace("/", "\\x2f")
    return cut(f"mcp:{server}/{spelled(call.tool)}")


def _spans(call: LlmCall | McpCall) -> Data:
    """When it was said and how long it was; only what is known."""
    asked, told = call.request, call.response
    began = asked or told
    return {
        "began": began and began.began,
        "ended": _ended(call),
        "request_ended": asked and asked.ended,
        "answered": told and told.began,
        "bytes_out": asked.end - asked.start if asked and asked.end is not None else None,
        "bytes_in": told.end - told.start if told and told.end is not None else None,
    }


def _ended(call: LlmCall | McpCall) -> float:
    last = call.response or call.request
    return last.ended if last else 0.0


def _result(found: ToolResult) -> dict[str, Any]:
    content = found.content
    text = excerpt(content.redacted, SHORT)
    row = {"id": found.id, "name": found.name and spelled(found.name), "digest": content.digest, "text": text}
    return {k: v for k, v in row.items() if v} | {"length": content.length, "failed": int(found.failed)}


def _call(call: ToolCall) -> dict[str, Any]:
    row = {"id": call.id.value, "name": spelled(call.name), "digest": call.arguments.digest}
    return {k: v for k, v in row.items() if v} | {"index": call.index}


def _tools(offered: tuple[ToolDefinition, ...], cut: list[str]) -> str:
    return " ".join(fitting("tools", (f"{spelled(t.name)}={t.digest}" for t in offered), cut))
