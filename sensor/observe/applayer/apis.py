"""Bodies to the API they are of. Host names play no part, and paths only where the body leaves a doubt."""

from __future__ import annotations

import re
from typing import Any

from sensor.observe.applayer import anthropic, bedrock, chat, gemini, ollama, openai_chat, responses
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.limits import Limits
from sensor.observe.applayer.talk import Answered, Asked, Budget, Stream, error_of
from wire.digests import Unreadable, load

ASKING = (gemini, chat, responses, ollama)  # in this order: the first that fits
ANSWERING = (openai_chat, responses, anthropic, gemini, bedrock, ollama)  # their shapes exclude each other
NO_CALL = re.compile(
    r"(?:count_tokens|:countTokens|:batchEmbedContents|:embedContent|/embeddings|/moderations|/batches)$"
)
PATHS = (  # only for a request whose body was lost
    ("openai-chat", re.compile(r"/chat/completions$")),
    ("openai-responses", re.compile(r"/responses$")),
    ("anthropic", re.compile(r"/v1/messages$")),
    ("gemini", gemini.PATH),
    ("bedrock", chat.BEDROCK_PATH),
    ("ollama", re.compile(r"/api/(?:chat|generate)$")),
)


def asked(path: str, body: Any) -> Asked | None:
    """The request to a model in a body; None where it is something else."""
    if not isinstance(body, dict) or NO_CALL.search(path):
        return None
    reader = next((api for api in ASKING if api.asks(body)), None)
    return reader.asked(path, body) if reader else None


def by_path(path: str) -> Asked | None:
    """What a path alone suggests."""
    name = next((name for name, pattern in PATHS if pattern.search(path)), None)
    return Asked(api=name, certain=False) if name else None


def answered(body: Any, limits: Limits) -> Answered | None:
    """The answer of a model in a whole body. Gemini streams a list of pieces where nobody asked for events."""
    if isinstance(body, dict):
        api = next((api for api in ANSWERING if api.answers(body)), None)
        return api.answered(body) if api else None
    if isinstance(body, list) and body and all(isinstance(v, dict) and gemini.answers(v) for v in body[:4]):
        stream = gemini.Stream(Budget(limits.body), limits.calls)
        for value in body:
            if isinstance(value, dict):
                stream.add(Event(0, 0, "", b""), value)
        return stream.answered()
    return None


class AnswerStream:
    """A streamed answer whose API is told by its first event that tells."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self.budget = limits, Budget(limits.body)
        self._stream: Stream | None = None
        self._missed, self._error, self.marked_end = False, None, False

    def add(self, event: Event, value: dict | None) -> None:
        """The next event; `value` is its JSON, None where it is none."""
        if value is None:
            self.marked_end |= event.data.strip() == b"[DONE]"
            return
        if self._stream is None and (made := self._begin(event, value)):
            self._stream = made
        if self._stream:
            self._stream.add(event, value)
        elif "error" in value:
            self._error = error_of(value)

    def _begin(self, event: Event, value: dict) -> Stream | None:
        budget, most = self.budget, self._limits.calls
        if event.name in bedrock.EVENTS or (event.name == "chunk" and "bytes" in value):
            return bedrock.Stream(budget, most)
        api = next((api for api in ANSWERING if api is not bedrock and api.answers(value)), None)
        return api.Stream(budget, most) if api else None

    @property
    def held(self) -> int:
        """Bytes that have grown."""
        return self._limits.body - self.budget.left

    def miss(self) -> None:
        """A piece of the stream is missing here."""
        self._missed = True
        if self._stream:
            self._stream.miss()

    def answered(self) -> Answered | None:
        """What is known by now; None where no event told what it is."""
        if self._stream is None:
            return None
        out = self._stream.answered()
        out.ended = out.ended or self.marked_end
        out.error = out.error or self._error
        return out

    @property
    def error(self) -> str | None:
        """An error that came before anything else."""
        return self._error


def value_of(data: bytes) -> Any:
    """JSON of an event; None where it is none."""
    try:
        return load(data) if data[:1] in (b"{", b"[") else None
    except Unreadable:
        return None
