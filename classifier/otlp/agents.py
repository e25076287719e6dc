"""Log records of agents whose own programs export them: Claude Code and Codex. Their TLS is often beyond any other capture.

| record | says |
|---|---|
| `claude_code.api_request`, `claude_code.api_error` | a model call: model, tokens, request id |
| `claude_code.tool_result` | a tool that ran; of an MCP server where it is named so |
| `codex.sse_event` of `response.completed`, `codex.tool_result` | the same of Codex |
"""

from __future__ import annotations

from typing import Any

from classifier.otlp.attributes import count, opened, text
from classifier.otlp.calls import hear, model_call
from classifier.otlp.shapes import Llm, Mcp, Tool
from classifier.otlp.telemetry import Log

CLAUDE, CODEX = "claude_code.", "codex."
PROMPT = "user_prompt"


def event_name(log: Log) -> str:
    """The full name of an event; Claude Code gives it in the body and a short one in an attribute."""
    if isinstance(log.body, str) and log.body.startswith((CLAUDE, CODEX)):
        return log.body[:128]
    return log.name or text(log.attributes, ("event.name",))


def of_log(log: Log) -> Llm | Tool | Mcp | None:
    """What a log record says of a call; None for all others."""
    name = event_name(log)
    if name.startswith(CLAUDE):
        return _claude(name.removeprefix(CLAUDE), log)
    if name.startswith(CODEX):
        return _codex(name.removeprefix(CODEX), log)
    if name.startswith("gen_ai."):
        call = Llm(provider=text(log.attributes, ("gen_ai.system", "gen_ai.provider.name")))
        return call if hear(call, log) else None
    return None


def seconds_of(log: Log) -> float:
    """How long what it tells took."""
    return (count(log.attributes, ("duration_ms",)) or 0) / 1000


def _claude(what: str, log: Log) -> Llm | Tool | Mcp | None:
    a = log.attributes
    if what in ("api_request", "api_error"):
        call = model_call(a)
        call.provider = call.provider or "anthropic"
        call.error = text(a, ("error",)) if what == "api_error" else ""
        return call
    if what != "tool_result":
        return None
    name, details = text(a, ("tool_name",)), opened(a.get("tool_parameters"))
    given = opened(a.get("tool_input")) or details
    server, tool = _mcp_names(name, details)
    if server:
        failed = _failed(a)
        return Mcp("tools/call", server=server, tool=tool, arguments=given, failed=failed, error=text(a, ("error",)))
    return Tool(name, text(a, ("tool_use_id",)), given, a.get("tool_output"), _failed(a)) if name else None


def _mcp_names(name: str, details: Any) -> tuple[str, str]:
    """Server and tool; `mcp__server__tool` spells both in one word."""
    if isinstance(details, dict):
        server, tool = details.get("mcp_server_name"), details.get("mcp_tool_name")
        if isinstance(server, str) and isinstance(tool, str) and server:
            return server, tool
    if name.startswith("mcp__"):
        server, _, tool = name[5:].partition("__")
        return (server, tool) if tool else ("", "")
    return "", ""


def _codex(what: str, log: Log) -> Llm | Tool | Mcp | None:
    a = log.attributes
    if what == "sse_event" and text(a, ("event.kind",)) == "response.completed":
        call = model_call(a)
        call.provider = call.provider or "openai"
        return call
    if what == "tool_result" and (name := text(a, ("tool_name",))):
        return Tool(name, text(a, ("call_id",)), opened(a.get("arguments")), a.get("output"), _failed(a))
    return None


def _failed(attributes: Any) -> bool:
    return attributes.get("success") in (False, "false")
