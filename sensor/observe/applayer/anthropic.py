"""Answers of Anthropic's messages API, direct or inside a Bedrock or Vertex call."""

from __future__ import annotations

from sensor.observe.applayer.chat import turn_of
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.records import Usage
from sensor.observe.applayer.talk import (
    Answered,
    Blocks,
    Budget,
    Growing,
    error_of,
    kind,
    mapping,
    merged,
    string,
    usage,
)

NAME = "anthropic"
TYPES = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
}


def answers(body: dict) -> bool:
    """Whether this is an answer, or an event of one."""
    if kind(body) == "message":
        return isinstance(body.get("content"), list)
    return kind(body) in TYPES


def answered(body: dict) -> Answered:
    """A whole answer."""
    turn = turn_of({"role": "assistant", "content": body.get("content")})
    return Answered(
        NAME,
        string(body.get("model")),
        string(body.get("id")),
        turn.text,
        list(turn.calls),
        string(body.get("stop_reason")),
        _usage(body),
        error_of(body) if "error" in body else None,
    )


def _usage(body: dict) -> Usage | None:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return usage(body.get("usage"), *names)


class Stream:
    """Typed events; arguments are partial JSON by block index."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._out = Answered(NAME, streamed=True, ended=False)
        self._budget, self._most = budget, most
        self._texts: dict[int, Growing] = {}
        self._blocks = Blocks(budget, most)

    def add(self, event: Event, value: dict) -> None:
        what, index = kind(value), value.get("index")
        if what == "message_start":
            message = mapping(value.get("message"))
            self._out.model, self._out.id = string(message.get("model")), string(message.get("id"))
            self._out.usage = merged(self._out.usage, _usage(message))
        elif what == "content_block_start":
            self._start(index, mapping(value.get("content_block")))
        elif what == "content_block_delta":
            self._delta(index, mapping(value.get("delta")))
        elif what == "content_block_stop":
            self._blocks.close(index)
        else:
            self._rest(what, value)

    def _rest(self, what: object, value: dict) -> None:
        if what == "message_delta":
            self._out.finish = string(mapping(value.get("delta")).get("stop_reason")) or self._out.finish
            self._out.usage = merged(self._out.usage, _usage(value))
        elif what == "message_stop":
            self._out.ended = True
        elif what == "error":
            self._out.error = error_of(value)

    def _start(self, index: object, block: dict) -> None:
        if kind(block) in ("tool_use", "server_tool_use"):
            self._blocks.open(index, block.get("id"), block.get("name"), block.get("input"))
        elif kind(block) == "text":
            self._say(index, block.get("text"))

    def _delta(self, index: object, delta: dict) -> None:
        if kind(delta) == "input_json_delta":
            if block := self._blocks.open(index, None, None):
                block.arguments.add(delta.get("partial_json"))
        elif kind(delta) == "text_delta":
            self._say(index, delta.get("text"))

    def _say(self, index: object, text: object) -> None:
        if isinstance(index, int) and (index in self._texts or len(self._texts) < self._most):
            self._texts.setdefault(index, Growing(self._budget)).add(text)

    def miss(self) -> None:
        self._blocks.miss()

    def answered(self) -> Answered:
        self._out.text = "\n".join(t for t in map(str, self._texts.values()) if t)
        self._out.calls = self._blocks.wanted()
        return self._out
