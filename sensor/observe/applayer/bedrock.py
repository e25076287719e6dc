"""Answers of Bedrock: Converse in its own shape; Invoke carries the shape of the model's maker, in base64 where it streams."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sensor.observe.applayer import anthropic
from sensor.observe.applayer.chat import turn_of
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.records import Usage
from sensor.observe.applayer.talk import Answered, Blocks, Budget, Growing, mapping, string, usage
from wire.digests import Unreadable, load

NAME = "bedrock"
EVENTS = {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}


def answers(body: dict) -> bool:
    """Whether this is a whole answer of Converse."""
    return "message" in mapping(body.get("output")) and "stopReason" in body


def answered(body: dict) -> Answered:
    """A whole answer. Converse does not say which model answered."""
    turn = turn_of({"role": "assistant", **mapping(mapping(body.get("output")).get("message"))})
    return Answered(
        NAME, text=turn.text, calls=list(turn.calls), finish=string(body.get("stopReason")), usage=_usage(body)
    )


def _usage(body: dict) -> Usage | None:
    return usage(body.get("usage"), "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")


def unwrapped(value: dict) -> dict | None:
    """The event inside a `chunk` of Invoke; None where it is none."""
    try:
        inner = load(base64.b64decode(value["bytes"], validate=True))
    except (KeyError, TypeError, binascii.Error, ValueError, Unreadable):
        return None
    return inner if isinstance(inner, dict) else None


class Stream:
    """Events of Converse by name, or Anthropic's inside chunks."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._out = Answered(NAME, streamed=True, ended=False)
        self._texts: dict[Any, Growing] = {}
        self._budget, self._most, self._blocks = budget, most, Blocks(budget, most)
        self._inner: anthropic.Stream | None = None

    def add(self, event: Event, value: dict) -> None:
        if event.name == "chunk":
            self._chunk(event, value)
            return
        index = value.get("contentBlockIndex", 0)
        if event.name == "contentBlockStart":
            use = mapping(mapping(value.get("start")).get("toolUse"))
            if use:
                self._blocks.open(index, use.get("toolUseId"), use.get("name"))
        elif event.name == "contentBlockDelta":
            self._delta(index, mapping(value.get("delta")))
        elif event.name == "contentBlockStop":
            self._blocks.close(index)
        elif event.name == "messageStop":
            self._out.finish, self._out.ended = string(value.get("stopReason")), True
        elif event.name == "metadata":
            self._out.usage = _usage(value)
        elif event.name not in EVENTS:
            self._out.error = f"{event.name}: {string(value.get('message')) or ''}"

    def _delta(self, index: Any, delta: dict) -> None:
        if use := mapping(delta.get("toolUse")):
            if block := self._blocks.open(index, None, None):
                block.arguments.add(use.get("input"))
        elif isinstance(index, int) and (index in self._texts or len(self._texts) < self._most):
            self._texts.setdefault(index, Growing(self._budget)).add(delta.get("text"))

    def _chunk(self, event: Event, value: dict) -> None:
        self._inner = self._inner or anthropic.Stream(self._budget, self._most)
        inner = unwrapped(value)
        if inner is not None and anthropic.answers(inner):
            self._inner.add(event, inner)

    def miss(self) -> None:
        self._blocks.miss()
        if self._inner:
            self._inner.miss()

    def answered(self) -> Answered:
        if self._inner:
            return self._inner.answered()
        self._out.text = "\n".join(t for t in map(str, self._texts.values()) if t)
        self._out.calls = self._blocks.wanted()
        return self._out
