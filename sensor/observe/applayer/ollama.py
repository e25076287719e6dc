"""Ollama's own API: `/api/chat` and `/api/generate`, one JSON object or a line for each piece."""

from __future__ import annotations

from sensor.observe.applayer.chat import turn_of
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.talk import (
    Answered,
    Asked,
    Budget,
    Growing,
    error_of,
    mapping,
    media,
    string,
    usage,
    whole,
)
from wire.turns import Turn

NAME = "ollama"


def asks(body: dict) -> bool:
    """Whether this is a request to generate; chat is read with the other APIs that have messages."""
    return isinstance(body.get("prompt"), str) and isinstance(body.get("model"), str) and "messages" not in body


def asked(path: str, body: dict) -> Asked:
    """The request. OpenAI's old completions look alike, so the path or the answer must agree."""
    images = body.get("images")
    pictures = tuple(media({"image": i}) for i in images) if isinstance(images, list) else ()
    system = string(body.get("system"))
    return Asked(
        api=NAME,
        certain=path.endswith("/api/generate"),
        model=string(body.get("model")),
        turns=(Turn("user", body["prompt"], media=pictures),),
        system=(system,) if system else (),
        streamed=body.get("stream") is not False,
    )


def answers(body: dict) -> bool:
    """Whether this is an answer, or a piece of one."""
    said = isinstance(body.get("message"), dict) or isinstance(body.get("response"), str)
    return said and isinstance(body.get("done"), bool)


def answered(body: dict) -> Answered:
    """A whole answer."""
    return whole(Stream, body)


class Stream:
    """Pieces of text; calls come whole."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._out = Answered(NAME, streamed=True, ended=False)
        self._text, self._most = Growing(budget), most

    def add(self, event: Event, value: dict) -> None:
        out = self._out
        turn = turn_of({"role": "assistant", **mapping(value.get("message"))})
        out.model = out.model or string(value.get("model"))
        self._text.add(turn.text or value.get("response"))
        out.calls += turn.calls[: max(0, self._most - len(out.calls))]
        out.error = out.error or (error_of(value) if "error" in value else None)
        if value.get("done") is True:
            out.ended, out.finish = True, string(value.get("done_reason")) or "stop"
            out.usage = usage(value, "prompt_eval_count", "eval_count")

    def miss(self) -> None:
        pass

    def answered(self) -> Answered:
        self._out.text = str(self._text)
        return self._out
