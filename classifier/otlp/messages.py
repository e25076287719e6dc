"""Messages as the conventions spell them to turns.

| spelling | parts of a message |
|---|---|
| gen_ai.input.messages, gen_ai.output.messages | `parts`: text, tool_call, tool_call_response, … |
| messages of the APIs themselves, and gen_ai.*.message events | `content` (text or blocks), `tool_calls`, `tool_call_id` |
| AI SDK | `content` of text, tool-call, tool-result |
| OpenInference | `message.content`, `message.contents.N.…`, `message.tool_calls.N.tool_call.…` |
| OpenLLMetry | `role`, `content`, `tool_calls.N.name`, `tool_call_id` |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from classifier.otlp.attributes import opened, rows
from wire.digests import Unreadable, canonical, encoded, sha256
from wire.turns import Returned, Turn, Wanted

ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "developer": "system"}
TEXTS = ("text", "input_text", "output_text", "refusal")
CALLS = ("tool_call", "tool_use", "tool-call", "function_call", "server_tool_call")
RESULTS = ("tool_call_response", "tool_result", "tool-result", "function_call_output", "server_tool_call_response")
SILENT = ("reasoning", "thinking", "redacted_thinking", "compaction")  # said to nobody; no history of an API holds it
HIDDEN = ("__REDACTED__", "<REDACTED>", "[REDACTED]")  # what instrumentations put in the place of words
MOST = 8192  # messages, or parts of one


def turns(value: Any) -> tuple[Turn, ...]:
    """Messages of JSON; a text alone is one of the user's."""
    value = opened(value)
    if isinstance(value, str):
        return (Turn("user", value),) if value else ()
    if isinstance(value, dict):
        if "messages" in value:
            return (*_system(value.get("system")), *turns(value["messages"]))
        if "prompt" in value:
            return (*_system(value.get("system")), *turns(value["prompt"]))
        value = [value]
    return tuple(_turn(m) for m in _objects(value)) if isinstance(value, list) else ()


def _system(value: Any) -> tuple[Turn, ...]:
    found = words(opened(value))
    return (Turn("system", found),) if found else ()


def _turn(message: dict[str, Any], role: str = "") -> Turn:
    inner = message.get("message")
    if isinstance(inner, dict):  # gen_ai.choice holds its message one level deeper
        message = {**message, **inner}
    role = _string(message.get("role")) or role or "assistant"
    role = ROLES.get(role, role)
    parts = opened(message.get("parts") if message.get("parts") is not None else message.get("content"))
    made = _Parts()
    if isinstance(parts, str):
        made.texts.append(parts)
    for part in _objects(parts) if isinstance(parts, list) else ():
        made.add(part)
    if isinstance(parts, list):
        made.texts += [p for p in parts[:MOST] if isinstance(p, str)]
    made.calls += [call(c) for c in _objects(opened(message.get("tool_calls")))]
    answered = _string(message.get("tool_call_id")) or (_string(message.get("id")) if role == "tool" else "")
    if role == "tool" and not made.results:
        if parts is None:
            return Turn("tool")  # an instrumentation that keeps words for itself
        said = Returned(answered or None, _string(message.get("name")) or None, made.text)
        return Turn("tool", "", (), (said,), tuple(made.media))
    return Turn(role, made.text, tuple(made.calls), tuple(made.results), tuple(made.media))


class _Parts:
    """What the parts of one message say, by kind."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls: list[Wanted] = []
        self.results: list[Returned] = []
        self.media: list[str] = []

    @property
    def text(self) -> str:
        """Their words."""
        return "\n".join(t for t in self.texts if t)

    def add(self, part: dict[str, Any]) -> None:
        """One more part."""
        kind = _string(part.get("type"))
        if kind in CALLS:
            self.calls.append(call(part))
        elif kind in RESULTS:
            self.results.append(_result(part))
        elif kind in TEXTS or (not kind and ("text" in part or "content" in part)):
            self.texts.append(words(part.get("content", part.get("text"))))
        elif kind not in SILENT:
            self.media.append(digest(part))


def call(part: dict[str, Any]) -> Wanted:
    """A tool call, however it is spelled."""
    function = part.get("function")
    inner = function if isinstance(function, dict) else part
    id_ = _first(part, "id", "toolCallId", "call_id", "tool_call_id")
    name = _first(inner, "name", "toolName", "tool_name")
    arguments = next(
        (inner[k] for k in ("arguments", "input", "args", "server_tool_call") if inner.get(k) is not None), None
    )
    return Wanted(id_ or None, name, {} if arguments is None else arguments, arguments is not None)


def _result(part: dict[str, Any]) -> Returned:
    id_ = _first(part, "id", "tool_use_id", "toolCallId", "call_id", "tool_call_id")
    keys = ("response", "result", "content", "output", "server_tool_call_response")
    held = next((part[k] for k in keys if k in part), "")
    failed = part.get("is_error") is True or part.get("isError") is True
    if isinstance(held, dict) and "value" in held and isinstance(kind := held.get("type"), str):  # of the AI SDK
        held, failed = held["value"], failed or kind.startswith("error")
    return Returned(id_ or None, _first(part, "name", "toolName") or None, words(held), failed)


def blank(turn: Turn) -> bool:
    """Whether the words of a turn were kept back: then nothing may be concluded from what is left of it.

    >>> blank(Turn("user")), blank(Turn("user", "hi"))
    (True, False)
    """
    if not (turn.text or turn.calls or turn.results or turn.media):
        return True
    words = (turn.text, *(r.content for r in turn.results))
    return any(w in HIDDEN for w in words) or not all(c.whole for c in turn.calls)


def flattened(attributes: dict[str, Any] | Any, prefix: str) -> tuple[Turn, ...]:
    """Messages of OpenInference or OpenLLMetry."""
    return tuple(_turn(_unfolded(row)) for row in rows(attributes, prefix)[:MOST])


def _unfolded(row: dict[str, Any]) -> dict[str, Any]:
    """A flattened message as the APIs spell it."""
    row = {name.removeprefix("message."): held for name, held in row.items()}
    out = {name: row[name] for name in ("role", "content", "tool_call_id", "name") if name in row}
    contents = [{k.removeprefix("message_content."): v for k, v in one.items()} for one in rows(row, "contents")]
    if contents:
        out["content"] = [c | {"type": c.get("type") or "text"} for c in contents]
    calls = [{k.removeprefix("tool_call."): v for k, v in one.items()} for one in rows(row, "tool_calls")]
    out["tool_calls"] = [
        {
            "id": c.get("id"),
            "name": c.get("function.name", c.get("name")),
            "arguments": c.get("function.arguments", c.get("arguments")),
        }
        for c in calls
    ]
    if "function_call_name" in row:
        named = {"name": row["function_call_name"], "arguments": row.get("function_call_arguments_json", {})}
        out["tool_calls"].append(named)
    return out


def words(value: Any) -> str:
    """A value as a text: a text as it is, blocks of text joined, anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        told = [v.get("content", v.get("text")) for v in value[:MOST]]
        if all(isinstance(t, str) for t in told):
            return "\n".join(told)
    try:
        return canonical(value)
    except (Unreadable, RecursionError, TypeError):
        return ""


def digest(value: Any) -> str:
    """What stands for a part that is no text."""
    return sha256(encoded(words(value)))


def _objects(value: Any) -> Iterable[dict[str, Any]]:
    return (one for one in value[:MOST] if isinstance(one, dict)) if isinstance(value, list) else ()


def _first(part: dict[str, Any], *names: str) -> str:
    return next((v for name in names if isinstance(v := part.get(name), str) and v), "")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
