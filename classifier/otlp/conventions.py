"""Spans and log records to what they say of a call.

A span may follow several conventions at once; each value is looked for under all its names, the newest first. What
a span is (a model call, a tool, an MCP message, something around them) is told before that.
"""

from __future__ import annotations

import re
from typing import Any

from classifier.otlp import messages
from classifier.otlp.attributes import Attributes, count, flag, opened, rows, text, value
from classifier.otlp.names import (
    AGENT,
    ANSWERED,
    ARGUMENTS,
    ASKED,
    CONVERSATION,
    DEFINITIONS,
    EITHER,
    FINISH,
    HOST,
    INPUT,
    INTERESTING,
    OPERATION,
    OUTPUT,
    PARAMETERS,
    PROVIDER,
    RESPONSE_ID,
    RESULT,
    STREAMED,
    SYSTEM,
    TOKENS_IN,
    TOKENS_OUT,
    TOOL,
    TOOL_ID,
)
from classifier.otlp.shapes import Llm, Mcp, Tool, fill
from classifier.otlp.telemetry import Log, Span
from wire.digests import Unreadable, load
from wire.turns import Turn

CHATS = frozenset(("chat", "text_completion", "generate_content", "completion"))
STEPS = re.compile(r"ai\.(?:generate|stream)(?:Text|Object)\.do(?:Generate|Stream)")
MCP_SPAN = re.compile(
    r"((?:initialize|ping|tools|resources|prompts|completion|logging|notifications)(?:/[\w/]+)?)\.mcp"
)
TRANSPORTS = {
    "pipe": "stdio",
    "unix": "stdio",
    "stdio": "stdio",
    "tcp": "http",
    "quic": "http",
    "http": "http",
    "sse": "sse",
}


def of_span(span: Span) -> Llm | Tool | Mcp | None:
    """What a span says of a call; None for all others."""
    a = span.attributes
    if not any(name.startswith(INTERESTING) for name in a):
        return None
    operation, kind = text(a, OPERATION).lower(), text(a, ("openinference.span.kind",)).upper()
    step, loop = text(a, ("ai.operationId",)), text(a, ("traceloop.span.kind",)).lower()
    if text(a, ("mcp.method.name",)) or MCP_SPAN.fullmatch(span.name):
        return _mcp(span)
    if operation == "execute_tool" or kind == "TOOL" or step == "ai.toolCall" or loop == "tool":
        return _tool(span)
    if _is_call(a, operation, kind, step, loop):
        return _llm(span)
    return None


def _is_call(a: Attributes, operation: str, kind: str, step: str, loop: str) -> bool:
    if step:  # ai.generateText goes around one or more ai.generateText.doGenerate
        return STEPS.fullmatch(step) is not None
    if operation:
        return operation in CHATS
    if kind:
        return kind == "LLM"
    if loop:
        return False
    return bool(text(a, ASKED[:1]) or text(a, ("llm.model_name",))) and text(a, ("llm.request.type",)) in ("", *CHATS)


# model calls ----------------------------------------------------------------------------------------------------------


def _llm(span: Span) -> Llm:
    call = model_call(span.attributes)
    for event in span.events:
        hear(call, event)
    if span.failed:
        call.error = text(span.attributes, ("error.type",)) or "error"
    return call


def model_call(a: Attributes) -> Llm:
    """A model call of attributes, be they of a span or of a log record."""
    asked, answered = text(a, ASKED), text(a, ANSWERED) or text(a, EITHER)
    if not asked and isinstance(given := value(a, PARAMETERS), dict):
        asked = text(given, ("model",))
    said = _input(a)
    reasons = a.get("gen_ai.response.finish_reasons")
    finish = reasons[0] if isinstance(reasons, list) and reasons and isinstance(reasons[0], str) else ""
    first = value(a, ("gen_ai.response.time_to_first_chunk",))
    step = text(a, ("ai.operationId",))
    streamed = flag(a, STREAMED)
    return Llm(
        asked=asked,
        answered=answered,
        provider=text(a, PROVIDER),
        host=hostname(text(a, HOST)),
        streamed=step.endswith(".doStream") if streamed is None and step else streamed,
        turns=tuple(t for t in said if t.role != "system"),
        system=(*_instructions(a), *(t.text for t in said if t.role == "system" and t.text)),
        tools=_definitions(a),
        answer=_output(a),
        finish=finish or text(a, FINISH),
        tokens_in=count(a, TOKENS_IN),
        tokens_out=count(a, TOKENS_OUT),
        response_id=text(a, RESPONSE_ID) or _id_of_answer(a),
        agent=text(a, AGENT),
        conversation=text(a, CONVERSATION),
        first=first if isinstance(first, float) and 0 <= first < 86400 else None,
    )


def _id_of_answer(a: Attributes) -> str:
    """OpenInference keeps the whole answer of the API."""
    whole = value(a, ("output.value",)) if text(a, ("output.mime_type",)) == "application/json" else None
    return text(whole, ("id",)) if isinstance(whole, dict) else ""


def _input(a: Attributes) -> tuple[Turn, ...]:
    for prefix in ("llm.input_messages", "gen_ai.prompt", "llm.prompts"):
        if found := messages.flattened(a, prefix):
            return found
    if found := messages.turns(value(a, INPUT)):
        return found
    if text(a, ("openinference.span.kind",)) == "LLM":
        return messages.turns(value(a, ("input.value",)))
    return ()


def _output(a: Attributes) -> Turn | None:
    for prefix in ("llm.output_messages", "gen_ai.completion"):
        if found := messages.flattened(a, prefix):
            return found[0]
    said = value(a, OUTPUT)
    found = messages.turns(said)
    if found:
        first = found[0]
        return Turn("assistant", first.text, first.calls, (), first.media)
    words = text(a, ("ai.response.text", "ai.result.text", "ai.response.object", "ai.result.object"))
    calls = opened(value(a, ("ai.response.toolCalls", "ai.result.toolCalls")))
    wanted = tuple(messages.call(c) for c in calls if isinstance(c, dict)) if isinstance(calls, list) else ()
    return Turn("assistant", words, wanted) if words or wanted else None


def _instructions(a: Attributes) -> list[str]:
    found = messages.words(value(a, SYSTEM))
    return [found] if found else []


def _definitions(a: Attributes) -> tuple[tuple[str, Any], ...]:
    """Tools that were offered: name and whole object."""
    found = value(a, DEFINITIONS)
    listed = [opened(one) for one in found] if isinstance(found, list) else []
    listed += [opened(r.get("tool.json_schema")) for r in rows(a, "llm.tools")]
    listed += [{k: opened(v) for k, v in r.items()} for r in rows(a, "llm.request.functions")]
    out = []
    for one in listed:
        if isinstance(one, dict):
            function = one.get("function")
            name = one.get("name") or (function.get("name") if isinstance(function, dict) else None)
            if isinstance(name, str) and name:
                out.append((name, one))
    return tuple(out)


def hear(call: Llm, event: Log) -> bool:
    """Take in what an event of a call says; whether it said anything.

    Until 1.27 a prompt was an event of the span, until 1.36 each message was a log record, since then both are in one.
    """
    name = event.name or text(event.attributes, ("event.name",))
    said = event.body if isinstance(event.body, dict) else dict(event.attributes)
    if name == "gen_ai.content.prompt":
        call.turns = call.turns or messages.turns(event.attributes.get("gen_ai.prompt"))
    elif name == "gen_ai.content.completion":
        found = messages.turns(event.attributes.get("gen_ai.completion"))
        call.answer = call.answer or (found[0] if found else None)
    elif name == "gen_ai.choice":
        if call.answer is None:
            found = messages.turns([{"role": "assistant", **said}])
            call.answer = found[0] if found else None
        call.finish = call.finish or text(said, ("finish_reason",))
    elif (role := _role_of(name)) is not None:
        turn = messages.turns([{"role": role, **said}])
        if role == "system":
            call.system += tuple(t.text for t in turn if t.text)
        else:
            call.turns += turn
    elif name == "gen_ai.client.inference.operation.details":
        fill(call, model_call(event.attributes if event.attributes else said))
    else:
        return False
    return True


def _role_of(name: str) -> str | None:
    before, role, after = name.partition("gen_ai.")[0], name.removeprefix("gen_ai.").removesuffix(".message"), name
    known = role in ("system", "user", "assistant", "tool") and not before
    return role if known and after == f"gen_ai.{role}.message" else None


# tools and MCP --------------------------------------------------------------------------------------------------------


def _tool(span: Span) -> Tool | None:
    a = span.attributes
    name = text(a, TOOL) or span.name.removeprefix("execute_tool ").removesuffix(".tool")
    if not name:
        return None
    failed = span.failed or bool(text(a, ("error.type",)))
    return Tool(name, text(a, TOOL_ID), value(a, ARGUMENTS), _unquoted(value(a, RESULT)), failed)


def _unquoted(found: Any) -> Any:
    """A text that was made JSON as it is."""
    if isinstance(found, str) and len(found) > 1 and found[0] == found[-1] == '"':
        try:
            return load(found)
        except Unreadable:
            return found
    return found


def _mcp(span: Span) -> Mcp:
    a = span.attributes
    named = MCP_SPAN.fullmatch(span.name)
    method = text(a, ("mcp.method.name",)) or (named.group(1) if named else "")
    arguments, result = value(a, ARGUMENTS), value(a, RESULT)
    tool = text(a, ("gen_ai.tool.name", "mcp.tool.name"))
    if method == "tools/call" and not tool and isinstance(arguments, dict):
        tool = _called(arguments)
    tool = tool or span.name.partition("tools/call ")[2]
    error = text(a, ("error.type", "rpc.response.status_code")) if span.failed or "error.type" in a else ""
    return Mcp(
        method=method,
        transport=TRANSPORTS.get(text(a, ("network.transport", "mcp.transport")).lower(), ""),
        id=text(a, ("jsonrpc.request.id", "mcp.request.id")),
        server=text(a, ("mcp.server.name",)),
        protocol=text(a, ("mcp.protocol.version",)),
        host=hostname(text(a, ("server.address",))),
        tool=tool,
        arguments=arguments,
        result=result,
        failed=span.failed or bool(error),
        error=error,
    )


def _called(arguments: dict[str, Any]) -> str:
    """The tool's name in what OpenLLMetry keeps of a `tools/call`."""
    for holder in (arguments, arguments.get("params"), arguments.get("tool_name")):
        if isinstance(holder, str):
            return holder
        if isinstance(holder, dict) and isinstance(name := holder.get("name"), str):
            return name
    return ""


def hostname(address: str) -> str:
    """The host of an address or URL, without port, user and path.

    >>> hostname("https://u:p@API.example.org:443/v1"), hostname("::1")
    ('api.example.org', '::1')
    """
    bare = address.partition("://")[2] or address
    bare = re.split(r"[/?#]", bare, maxsplit=1)[0].rpartition("@")[2].lower()
    if bare.startswith("["):
        return bare[1:].partition("]")[0]
    return bare.partition(":")[0] if bare.count(":") == 1 else bare
