"""Gemini, Vertex, and Code Assist, which nests both sides one level deeper."""

from __future__ import annotations

import re
from typing import Any

from sensor.observe.applayer.events import Event
from sensor.observe.applayer.records import Usage
from sensor.observe.applayer.talk import (
    Answered,
    Asked,
    Budget,
    Growing,
    content,
    error_of,
    mapping,
    media,
    merged,
    rows,
    string,
    usage,
    whole,
)
from wire.turns import Returned, Turn, Wanted

NAME = "gemini"
PATH = re.compile(r"/(?:models|endpoints)/([^/:]+):(?:stream)?[gG]enerateContent$")
ROLES = {"model": "assistant", "function": "tool", "": "user"}


def asks(body: dict) -> bool:
    """Whether this is a request."""
    inner = _inner(body, "request")
    return isinstance(inner.get("contents"), list | dict) and "messages" not in inner and "input" not in inner


def _inner(body: dict, name: str) -> dict:
    nested = body.get(name)
    return nested if isinstance(nested, dict) else body


def asked(path: str, body: dict) -> Asked:
    """The request."""
    inner = _inner(body, "request")
    found, contents = PATH.search(path), inner.get("contents")
    turns = [_turn(c) for c in (rows(contents) if isinstance(contents, list) else [mapping(contents)])]
    system = mapping(inner.get("systemInstruction") or inner.get("system_instruction"))
    return Asked(
        api=NAME,
        certain=any(isinstance(c.get("parts"), list) for c in rows(contents)) or bool(found),
        model=(found.group(1) if found else None) or string(body.get("model")),
        turns=tuple(turns),
        system=tuple(t for t in (_turn(system).text,) if t),
        tools=tuple(_tools(inner)),
        streamed="stream" in path,
        model_in_path=bool(found),
    )


def _tools(inner: dict) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for tool in rows(inner.get("tools")):
        declared = rows(tool.get("functionDeclarations") or tool.get("function_declarations"))
        out += [(string(f.get("name")) or "", f) for f in declared]
        out += [(key, {key: value}) for key, value in tool.items() if not key.lower().startswith("function")]
    return out


def _turn(content_: dict) -> Turn:
    role = string(content_.get("role")) or ""
    parts = rows(content_.get("parts"))
    said = [p["text"] for p in parts if isinstance(p.get("text"), str) and p.get("thought") is not True]
    calls = tuple(_call(p) for p in parts if _function(p, "Call"))
    results = tuple(_result(_function(p, "Response")) for p in parts if _function(p, "Response"))
    pictures = tuple(media(p) for p in parts if p.keys() & {"inlineData", "inline_data", "fileData", "file_data"})
    role = "tool" if results and not said else ROLES.get(role, role)
    return Turn(role, "".join(said), calls, results, pictures)


def _function(part: dict, kind: str) -> dict:
    return mapping(part.get(f"function{kind}") or part.get(f"function_{kind.lower()}"))


def _call(part: dict) -> Wanted:
    call = _function(part, "Call")
    return Wanted(string(call.get("id")), string(call.get("name")) or "", mapping(call.get("args")))


def _result(found: dict) -> Returned:
    response = found.get("response")
    failed = "error" in mapping(response)
    return Returned(string(found.get("id")), string(found.get("name")), content(response), failed)


def answers(body: dict) -> bool:
    """Whether this is an answer, or a piece of one."""
    inner = _inner(body, "response")
    return isinstance(inner.get("candidates"), list) or ("usageMetadata" in inner and "modelVersion" in inner)


def answered(body: dict) -> Answered:
    """A whole answer."""
    return whole(Stream, body)


class Stream:
    """Each piece is an answer of its own shape; a call always comes whole in one."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._out = Answered(NAME, streamed=True, ended=False)
        self._text, self._budget, self._most = Growing(budget), budget, most

    def add(self, event: Event, value: dict) -> None:
        inner, out = _inner(value, "response"), self._out
        out.model = string(inner.get("modelVersion")) or out.model
        out.id = string(inner.get("responseId")) or out.id
        out.usage = merged(out.usage, _usage(inner))
        out.error = out.error or (error_of(value) if "error" in value else None)
        for candidate in rows(inner.get("candidates"))[:1]:
            turn = _turn(mapping(candidate.get("content")))
            self._text.add(turn.text)
            out.calls += turn.calls[: max(0, self._most - len(out.calls))]
            if reason := string(candidate.get("finishReason")):
                out.finish, out.ended = reason, True

    def miss(self) -> None:
        pass

    def answered(self) -> Answered:
        self._out.text = str(self._text)
        return self._out


def _usage(inner: dict) -> Usage | None:
    return usage(inner.get("usageMetadata"), "promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount")
