"""Requests of the APIs that have `messages`: OpenAI chat, Anthropic, Bedrock Converse, Ollama. One reader for all.

A short request can be valid in three of them, so the parts are read by their own shape, and the answer has the last word
on which API it was.
"""

from __future__ import annotations

import re
from typing import Any

from sensor.observe.applayer.talk import (
    Asked,
    content,
    kind,
    mapping,
    media,
    rows,
    string,
    words,
)
from wire.turns import Returned, Turn, Wanted

BEDROCK_PATH = re.compile(r"/model/([^/]+)/(?:converse|converse-stream|invoke|invoke-with-response-stream)$")
VERTEX_PATH = re.compile(r"/models/([^/:]+):(?:streamRawPredict|rawPredict)$")
ROLES = {"developer": "system", "model": "assistant", "function": "tool"}
HIDDEN = {"thinking", "redacted_thinking", "reasoning", "reasoningContent", "cachePoint", "cache_point"}
OLLAMA_KEYS = {"keep_alive", "options", "think"}
TOOL_PARTS = {"tool_use", "tool_result", "server_tool_use", "thinking"}


def asks(body: dict) -> bool:
    """Whether a body has turns with roles."""
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns:
        return False
    return all(isinstance(t, dict) and isinstance(t.get("role"), str) for t in turns[:4])


def asked(path: str, body: dict) -> Asked:
    """The request."""
    api, certain = _api(path, body)
    in_path = BEDROCK_PATH.search(path) or VERTEX_PATH.search(path)
    turns = [_turn(message) for message in rows(body.get("messages"))]
    lead = [t.text for t in turns if t.role == "system"]
    return Asked(
        api=api,
        certain=certain,
        model=string(body.get("model")) or (in_path.group(1).replace("%3A", ":") if in_path else None),
        turns=tuple(t for t in turns if t.role != "system"),
        system=tuple(t for t in (words(body.get("system")), *lead) if t),
        tools=tuple(_tools(body)),
        streamed=body.get("stream") is True or (not certain and api == "ollama") or "stream" in path.lower(),
        model_in_path=bool(in_path) and "model" not in body,
    )


def _api(path: str, body: dict) -> tuple[str, bool]:
    """The likeliest API, and whether the body alone decides."""
    parts = [p for m in rows(body.get("messages"))[-64:] for p in rows(m.get("content"))]
    if "inferenceConfig" in body or "toolConfig" in body or any(p.keys() & {"toolUse", "toolResult"} for p in parts):
        return "bedrock", True
    if "anthropic_version" in body or (isinstance(body.get("system"), list | str) and "max_tokens" in body):
        return "anthropic", True
    if any(kind(p) in TOOL_PARTS for p in parts) or any("input_schema" in t for t in rows(body.get("tools"))):
        return "anthropic", True
    if body.keys() & OLLAMA_KEYS:
        return "ollama", True
    if "model" not in body and parts and all("type" not in p for p in parts):
        return "bedrock", True
    return _by_path(path, body), False


def _by_path(path: str, body: dict) -> str:
    if path.endswith("/api/chat"):
        return "ollama"
    if BEDROCK_PATH.search(path):
        return "bedrock"
    return "anthropic" if path.endswith("/messages") and "max_tokens" in body else "openai-chat"


def _turn(message: dict) -> Turn:
    role = string(message.get("role")) or ""
    role = ROLES.get(role, role)
    parts = rows(message.get("content"))
    calls, results = [*_calls(message)], []
    for part in parts:
        calls += _part_call(part)
        results += _part_result(part)
    if role == "tool" and not results:
        call_id, name = string(message.get("tool_call_id")), message.get("name") or message.get("tool_name")
        results = [Returned(call_id, string(name), content(message.get("content")))]
        return Turn("tool", "", tuple(calls), tuple(results))
    role = "tool" if results and not any(_is_word(p) for p in parts) else role
    pictures = tuple(media(p) for p in parts if not _is_known(p))
    images = message.get("images")  # Ollama
    pictures += tuple(media({"image": i}) for i in images) if isinstance(images, list) else ()
    return Turn(role, words(_spoken(message)), tuple(calls), tuple(results), pictures)


def _spoken(message: dict) -> Any:
    """Content without what a client may leave out when it sends an answer back."""
    value = message.get("content")
    return [p for p in value if isinstance(p, str) or _is_word(mapping(p))] if isinstance(value, list) else value


def _is_word(part: dict) -> bool:
    return isinstance(part.get("text"), str) and kind(part, "text") in ("text", "input_text", "output_text")


def _is_known(part: dict) -> bool:
    kinds = {"toolUse", "toolResult", *HIDDEN}
    return _is_word(part) or kind(part) in TOOL_PARTS | HIDDEN or bool(part.keys() & kinds)


def _calls(message: dict) -> list[Wanted]:
    """OpenAI and Ollama keep calls beside the content; `function_call` is the form before tools."""
    found = rows(message.get("tool_calls"))
    old = mapping(message.get("function_call"))
    found += [{"function": old}] if old else []
    return [_call(c) for c in found]


def _call(call: dict) -> Wanted:
    function = mapping(call.get("function") or call.get("custom"))
    given = function.get("arguments", function.get("input"))
    return Wanted(string(call.get("id")), string(function.get("name")) or "", {} if given in (None, "") else given)


def _part_call(part: dict) -> list[Wanted]:
    if kind(part) in ("tool_use", "server_tool_use"):
        return [Wanted(string(part.get("id")), string(part.get("name")) or "", part.get("input", {}))]
    use = mapping(part.get("toolUse"))
    if use:
        return [Wanted(string(use.get("toolUseId")), string(use.get("name")) or "", use.get("input", {}))]
    return []


def _part_result(part: dict) -> list[Returned]:
    if kind(part) == "tool_result":
        failed = part.get("is_error") is True
        return [Returned(string(part.get("tool_use_id")), None, content(part.get("content")), failed)]
    found = mapping(part.get("toolResult"))
    if found:
        inner = [p.get("json", p) for p in rows(found.get("content"))]
        return [Returned(string(found.get("toolUseId")), None, content(inner), found.get("status") == "error")]
    return []


def _tools(body: dict) -> list[tuple[str, Any]]:
    found = rows(body.get("tools")) + rows(mapping(body.get("toolConfig")).get("tools")) + rows(body.get("functions"))
    return [(_tool_name(t), t) for t in found]


def _tool_name(tool: dict) -> str:
    inner = mapping(tool.get("function") or tool.get("toolSpec") or tool.get("custom"))
    return string(inner.get("name")) or string(tool.get("name")) or string(kind(tool)) or ""


def turn_of(message: dict) -> Turn:
    """One message of these APIs."""
    return _turn(message)
