"""Answers of OpenAI chat completions, as vLLM, Azure, LiteLLM and Ollama's `/v1` give them too."""

from __future__ import annotations

from typing import Any

from sensor.observe.applayer.chat import turn_of
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.records import Usage
from sensor.observe.applayer.talk import (
    Answered,
    Blocks,
    Budget,
    Growing,
    error_of,
    mapping,
    merged,
    rows,
    string,
    usage,
)

NAME = "openai-chat"


def answers(body: dict) -> bool:
    """Whether this is an answer, or a piece of a stream of one."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        return False
    return body.get("object") in ("chat.completion", "chat.completion.chunk") or any(
        isinstance(c, dict) and ("message" in c or "delta" in c) for c in choices
    )


def answered(body: dict) -> Answered:
    """A whole answer."""
    out = Answered(NAME, string(body.get("model")), string(body.get("id")), usage=_usage(body), error=error_of(body))
    for choice in rows(body.get("choices")):
        message = mapping(choice.get("message"))
        turn = turn_of({"role": "assistant", **message})
        out.calls += turn.calls
        out.text = out.text or turn.text or string(message.get("refusal")) or ""
        out.finish = out.finish or string(choice.get("finish_reason"))
    return out


def _usage(body: dict) -> Usage | None:
    found = mapping(body.get("usage"))
    cached = usage(found.get("prompt_tokens_details"), "", "", "cached_tokens")
    return merged(usage(found, "prompt_tokens", "completion_tokens"), cached)


class Stream:
    """Deltas by choice and index; only the first piece of a call has its id and name."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._out = Answered(NAME, streamed=True, ended=False)
        self._text, self._blocks = Growing(budget), Blocks(budget, most)

    def add(self, event: Event, value: dict) -> None:
        out = self._out
        out.model, out.id = out.model or string(value.get("model")) or None, out.id or string(value.get("id")) or None
        out.usage = merged(out.usage, _usage(value))
        out.error = out.error or (error_of(value) if "error" in value else None)
        for choice in rows(value.get("choices")):
            self._choice(choice)

    def _choice(self, choice: dict) -> None:
        delta = mapping(choice.get("delta"))
        if choice.get("index", 0) == 0:
            self._text.add(delta.get("content"))
            self._text.add(delta.get("refusal"))
        for n, call in enumerate(rows(delta.get("tool_calls"))):
            self._call(choice.get("index", 0), call.get("index", n), call)
        if old := mapping(delta.get("function_call")):
            self._call(choice.get("index", 0), "function_call", {"function": old})
        if reason := string(choice.get("finish_reason")):
            self._out.finish, self._out.ended = self._out.finish or reason, True

    def _call(self, choice: Any, index: Any, call: dict) -> None:
        if not isinstance(choice, int) or not isinstance(index, int | str):
            return
        function = mapping(call.get("function"))
        block = self._blocks.open((choice, index), call.get("id"), function.get("name"))
        if block:
            block.name = block.name or string(function.get("name")) or ""
            block.arguments.add(function.get("arguments"))

    def miss(self) -> None:
        self._blocks.miss()

    def answered(self) -> Answered:
        self._out.text, self._out.calls = str(self._text), self._blocks.wanted()
        return self._out
