"""A request and an answer in their common shape to records: redacted, hashed, chained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensor.observe.applayer.limits import Limits
from sensor.observe.applayer.records import (
    ABSENT,
    Basis,
    Fact,
    LlmCall,
    Place,
    Span,
    ToolCall,
    ToolResult,
    Trace,
    Usage,
    fact,
)
from sensor.observe.applayer.talk import Answered, Asked
from wire import digests
from wire.digests import SystemPrompt, ToolDefinition
from wire.redact import Redactor, Text
from wire.turns import ORIGIN, Message, Returned, Turn, Wanted, history, turn_digest


@dataclass(frozen=True, slots=True)
class Question:
    """A request as records keep it. Made when the request ends, so that its body can go."""

    asked: Asked
    system: SystemPrompt | None
    history: tuple[Message, ...]
    user_turn: Text | None
    tools: tuple[ToolDefinition, ...]
    results: tuple[ToolResult, ...]
    partial: tuple[str, ...]


def question(asked: Asked, place: Place, redactor: Redactor, limits: Limits) -> Question:
    """A request, hashed and redacted."""
    partial = []
    if len(asked.turns) > limits.messages:
        partial.append(f"request: {len(asked.turns)} messages, the first {limits.messages} are kept")
    if len(asked.tools) > limits.tools:
        partial.append(f"request: {len(asked.tools)} tools, the first {limits.tools} are kept")
    fresh = _fresh_results(asked.turns)
    redactor.untold(asked.system, kind="system", place=place)
    said = next((t.text for t in reversed(asked.turns) if t.role == "user" and t.text), None)
    return Question(
        asked=Asked(
            asked.api,
            asked.certain,
            _label(redactor, asked.model),
            streamed=asked.streamed,
            continues=_label(redactor, asked.continues),
        ),
        system=digests.system_prompt(asked.system),
        history=history(asked.turns[: limits.messages]),
        user_turn=redactor.text(said, kind="user_turn", place=place) if said else None,
        tools=tuple(digests.tool(obj, redactor.label(name)) for name, obj in asked.tools[: limits.tools]),
        results=tuple(_result(r, place, redactor) for r in fresh[: limits.calls]),
        partial=tuple(partial),
    )


def _label(redactor: Redactor, value: str | None) -> str | None:
    return redactor.label(value) if value else None


def _fresh_results(turns: tuple[Turn, ...]) -> list[Returned]:
    """Results behind the last answer: earlier requests told the others."""
    fresh: list[Returned] = []
    for turn in reversed(turns):
        if turn.role == "assistant":
            break
        fresh[:0] = turn.results
    return fresh


def _result(found: Returned, place: Place, redactor: Redactor) -> ToolResult:
    content = redactor.text(found.content, kind="tool_result", place=place)
    return ToolResult(_label(redactor, found.id), _label(redactor, found.name), content, found.failed)


@dataclass(frozen=True, slots=True)
class Seen:
    """Where an exchange was seen, and what of it was lost."""

    place: Place
    trace: Trace
    request: Span | None
    response: Span | None
    partial: tuple[str, ...]
    inferred: bool = False  # request and answer were paired after a gap


def records(
    asked: Question | None, answer: Answered | None, seen: Seen, redactor: Redactor
) -> list[LlmCall | ToolCall]:
    """The call, and behind it each tool call of its answer."""
    calls = _tool_calls(answer.calls, seen, redactor) if answer else ()
    partial = (*seen.partial, *(asked.partial if asked else ()), *(p for c in calls for p in c.partial))
    call = LlmCall(
        place=seen.place,
        trace=seen.trace,
        request=seen.request,
        response=seen.response,
        calls=calls,
        partial=tuple(dict.fromkeys(partial)),
        api=_api(asked, answer, seen),
        **_asked_fields(asked),
        **_answer_fields(answer, asked, seen, redactor),
    )
    return [call, *calls]


def _api(asked: Question | None, answer: Answered | None, seen: Seen) -> Fact[str]:
    """The answer's shape has the last word, except where Bedrock or Vertex carry the shape of another."""
    if asked and asked.asked.api == "bedrock" and answer and answer.api == "anthropic":
        return Fact("bedrock", _sure(seen))
    if answer:
        return Fact(answer.api, _sure(seen))
    return Fact(asked.asked.api, "verified" if asked.asked.certain else "inferred") if asked else ABSENT


def _sure(seen: Seen) -> Basis:
    return "inferred" if seen.inferred else "verified"


def _asked_fields(q: Question | None) -> dict[str, Any]:
    if q is None:
        nothing: dict[str, Any] = {"history": (), "tools": (), "results": ()}
        return nothing | dict.fromkeys(("model_asked", "system", "user_turn", "continues"), ABSENT)
    return {
        "model_asked": fact(q.asked.model, "verified"),
        "system": fact(q.system, "verified"),
        "history": q.history,
        "user_turn": fact(q.user_turn, "verified"),
        "tools": q.tools,
        "results": q.results,
        "continues": fact(q.asked.continues, "verified"),
    }


def _answer_fields(a: Answered | None, q: Question | None, seen: Seen, redactor: Redactor) -> dict[str, Any]:
    if a is None:
        names = ("model_answered", "answer", "text", "finish", "usage", "response_id", "error")
        return dict.fromkeys(names, ABSENT) | {"streamed": bool(q and q.asked.streamed)}
    text = redactor.text(a.text, kind="answer", place=seen.place) if a.text else None
    error = redactor.text(a.error, kind="error", place=seen.place) if a.error else None
    said = bool(a.text or a.calls)
    return {
        "model_answered": fact(_label(redactor, a.model), "self_reported"),
        "streamed": a.streamed,
        "answer": fact(_message(a, q) if said else None, _sure(seen)),
        "text": fact(text, _sure(seen)),
        "finish": fact(_label(redactor, a.finish), "self_reported"),
        "usage": fact(a.usage if isinstance(a.usage, Usage) else None, "self_reported"),
        "response_id": fact(_label(redactor, a.id), "self_reported"),
        "error": fact(error, "self_reported"),
    }


def _message(a: Answered, q: Question | None) -> Message:
    turn = Turn("assistant", a.text, tuple(a.calls))
    digest, size = turn_digest(turn)
    before = q.history[-1].chain if q and q.history else ORIGIN
    return Message("assistant", digest, digests.chained(before, digest), size)


def _tool_calls(wanted: list[Wanted], seen: Seen, redactor: Redactor) -> tuple[ToolCall, ...]:
    return tuple(_tool_call(n, w, seen, redactor) for n, w in enumerate(wanted))


def _tool_call(index: int, w: Wanted, seen: Seen, redactor: Redactor) -> ToolCall:
    name = redactor.label(w.name)
    return ToolCall(
        place=seen.place,
        index=index,
        id=fact(_label(redactor, w.id), "inferred" if seen.inferred else "self_reported"),
        name=name,
        arguments=redactor.arguments(w.arguments, place=seen.place),
        span=seen.response or Span("received", 0, None, 0.0, 0.0),
        partial=() if w.whole else (f"answer: arguments of call {index} have a gap",),
    )
