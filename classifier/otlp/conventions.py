"""Spans to what they say of a call.

A span may follow several conventions at once; each value is looked for under all its names, the newest first. What
a span is (a model call, a tool, an MCP message, something around them) is told before that.
"""

from __future__ import annotations

import re
from typing import Any

from classifier.otlp.attributes import Attributes, hostname, text, value
from classifier.otlp.calls import of_call
from classifier.otlp.names import ARGUMENTS, ASKED, INTERESTING, OPERATION, RESULT, TOOL, TOOL_ID
from classifier.otlp.shapes import Llm, Mcp, Tool
from classifier.otlp.telemetry import Span
from wire.digests import Unreadable, load

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
        return of_call(span)
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
