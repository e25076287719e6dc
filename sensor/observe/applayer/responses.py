"""OpenAI's responses API: items in, items out, typed events."""

from __future__ import annotations

from typing import Any

from sensor.observe.applayer.events import Event
from sensor.observe.applayer.records import Usage
from sensor.observe.applayer.talk import (
    Answered,
    Asked,
    Blocks,
    Budget,
    Growing,
    content,
    error_of,
    kind,
    mapping,
    media,
    merged,
    rows,
    string,
    usage,
    words,
)
from wire.turns import Returned, Turn, Wanted

NAME = "openai-responses"
CALLS = {"function_call", "custom_tool_call", "mcp_call"}
OUTPUTS = {"function_call_output", "custom_tool_call_output"}
SAID = ("text", "input_text", "output_text", "refusal")


def asks(body: dict) -> bool:
    """Whether this is a request; embeddings have the same two keys, so the answer must agree where nothing else tells."""
    return (
        isinstance(body.get("input"), str | list) and "messages" not in body and ("model" in body or "prompt" in body)
    )


def asked(path: str, body: dict) -> Asked:
    """The request."""
    items = rows(body.get("input"))
    keys = {"instructions", "tools", "previous_response_id", "conversation", "store", "reasoning", "max_output_tokens"}
    certain = bool(body.keys() & keys) or any(i.get("role") or kind(i) in CALLS | OUTPUTS for i in items)
    turns = joined([_turn(i) for i in items]) if items else [Turn("user", words(body.get("input")))]
    conversation = body.get("conversation")
    return Asked(
        api=NAME,
        certain=certain or path.endswith("/responses"),
        model=string(body.get("model")),
        turns=tuple(t for t in turns if t.role != "system"),
        system=tuple(x for x in (words(body.get("instructions")), *(t.text for t in turns if t.role == "system")) if x),
        tools=tuple((_tool_name(t), t) for t in rows(body.get("tools"))),
        streamed=body.get("stream") is True,
        continues=string(body.get("previous_response_id"))
        or string(conversation)
        or string(mapping(conversation).get("id")),
    )


def _tool_name(tool: dict) -> str:
    return string(tool.get("name")) or string(tool.get("server_label")) or string(kind(tool)) or ""


def _turn(item: dict) -> Turn:
    what = kind(item, "message")
    if what in CALLS:
        return Turn("assistant", calls=(_call(item),))
    if what in OUTPUTS:
        result = Returned(string(item.get("call_id")), None, content(item.get("output")))
        return Turn("tool", results=(result,))
    if what == "message":
        role = string(item.get("role")) or ""
        parts = item.get("content")
        said = [p for p in rows(parts) if kind(p) in SAID] if isinstance(parts, list) else parts
        pictures = tuple(media(p) for p in rows(parts) if kind(p) not in SAID)
        return Turn("system" if role == "developer" else role, _words(said), media=pictures)
    return Turn("assistant")  # reasoning and what hosted tools leave: clients may leave it out


def _words(parts: Any) -> str:
    if not isinstance(parts, list):
        return words(parts)
    return "\n".join(t for p in parts if (t := words(p) or string(p.get("refusal"))))


def _call(item: dict) -> Wanted:
    given = item.get("arguments", item.get("input"))
    return Wanted(
        string(item.get("call_id")) or string(item.get("id")),
        string(item.get("name")) or "",
        {} if given in (None, "") else given,
    )


def joined(turns: list[Turn]) -> list[Turn]:
    """Items of one answer as one turn, so that a history holds the digest that the answer had."""
    out: list[Turn] = []
    for turn in turns:
        if turn.role == "assistant" and out and out[-1].role == "assistant":
            last = out.pop()
            text = "\n".join(t for t in (last.text, turn.text) if t)
            turn = Turn("assistant", text, last.calls + turn.calls, (), last.media + turn.media)
        out.append(turn)
    return [t for t in out if t != Turn("assistant")]


def answers(body: dict) -> bool:
    """Whether this is an answer, or an event of one."""
    what = kind(body)
    if isinstance(what, str) and what.startswith("response."):
        return True
    return isinstance(body.get("output"), list) and (body.get("object") == "response" or "status" in body)


def answered(body: dict) -> Answered:
    """A whole answer. Its status is `completed` even where it asks for tools, so the finish says which it was."""
    turns = joined([_turn(i) for i in rows(body.get("output"))])
    turn = turns[0] if turns else Turn("assistant")
    why = string(mapping(body.get("incomplete_details")).get("reason"))
    finish = why or ("tool_calls" if turn.calls else string(body.get("status")))
    error = error_of(body) if body.get("error") else None
    return Answered(
        NAME,
        string(body.get("model")),
        string(body.get("id")),
        turn.text,
        list(turn.calls),
        finish,
        _usage(body),
        error,
    )


def _usage(body: dict) -> Usage | None:
    found = mapping(body.get("usage"))
    cached = usage(found.get("input_tokens_details"), "", "", "cached_tokens")
    return merged(usage(found, "input_tokens", "output_tokens"), cached)


class Stream:
    """Events. The last one holds the whole answer; where it was lost, the deltas do."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._out = Answered(NAME, streamed=True, ended=False)
        self._text, self._blocks = Growing(budget), Blocks(budget, most)

    def add(self, event: Event, value: dict) -> None:
        what, index = kind(value), value.get("output_index", 0)
        if what in ("response.completed", "response.incomplete", "response.failed"):
            self._finish(mapping(value.get("response")))
        elif what in ("response.created", "response.in_progress"):
            response = mapping(value.get("response"))
            self._out.model, self._out.id = string(response.get("model")), string(response.get("id"))
        elif what == "response.output_text.delta":
            self._text.add(value.get("delta"))
        elif what in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
            if block := self._blocks.open(index, None, None):
                block.arguments.add(value.get("delta"))
        elif what in ("response.output_item.added", "response.output_item.done"):
            self._item(index, mapping(value.get("item")), done=what.endswith("done"))
        elif what == "error" or "error" in value:
            self._out.error = error_of(value)

    def _item(self, index: Any, item: dict, *, done: bool) -> None:
        call = _call(item)
        if kind(item) not in CALLS or (block := self._blocks.open(index, call.id, call.name)) is None:
            return
        block.id, block.name = call.id or block.id, call.name or block.name
        if done:  # it repeats the arguments whole, also those whose deltas were lost
            block.arguments, block.given, block.whole, block.closed = Growing(Budget(0)), call.arguments, True, True

    def _finish(self, response: dict) -> None:
        self._out = answered(response)
        self._out.streamed = True
        if not isinstance(response.get("output"), list) or not response["output"]:  # some servers leave it empty
            self._out.text, self._out.calls = str(self._text), self._blocks.wanted()

    def miss(self) -> None:
        self._blocks.miss()

    def answered(self) -> Answered:
        if not self._out.ended:
            self._out.text, self._out.calls = str(self._text), self._blocks.wanted()
        return self._out
