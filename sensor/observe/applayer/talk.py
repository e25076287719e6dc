"""What the wire APIs have in common: a request and an answer in one shape, and careful hands for JSON of strangers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sensor.observe.applayer.events import Event
from sensor.observe.applayer.records import Usage
from wire.digests import canonical, encoded, sha256
from wire.turns import Turn, Wanted


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a model."""

    api: str  # the likeliest
    certain: bool  # the body alone says that it is this API
    model: str | None = None
    turns: tuple[Turn, ...] = ()
    system: tuple[str, ...] = ()
    tools: tuple[tuple[str, Any], ...] = ()  # name, whole object
    streamed: bool = False
    continues: str | None = None
    model_in_path: bool = False


@dataclass(slots=True)
class Answered:
    """An answer of a model; filled while its stream goes on."""

    api: str
    model: str | None = None
    id: str | None = None
    text: str = ""
    calls: list[Wanted] = field(default_factory=list)
    finish: str | None = None
    usage: Usage | None = None
    error: str | None = None
    streamed: bool = False
    ended: bool = True  # False: the stream stopped before its end


class Budget:
    """Bytes that the growing parts of one answer share."""

    def __init__(self, limit: int) -> None:
        self.left, self.over = limit, False

    def take(self, size: int) -> bool:
        """Whether so much may still grow."""
        if size > self.left:
            self.over = True
            return False
        self.left -= size
        return True


class Growing:
    """A text that comes in deltas. Kept as UTF-8: a list of single characters would cost sixty times their size."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._bytes = budget, bytearray()

    def add(self, delta: Any) -> None:
        """One more delta; what is no text is passed over."""
        if isinstance(delta, str) and delta:
            data = encoded(delta)
            if self._budget.take(len(data)):
                self._bytes += data

    def __bool__(self) -> bool:
        return bool(self._bytes)

    def __str__(self) -> str:
        return self._bytes.decode("utf-8", "surrogatepass")


class Stream(Protocol):
    """Puts one streamed answer together."""

    def add(self, event: Event, value: dict) -> None:
        """The next event of it."""

    def miss(self) -> None:
        """A piece of the stream is missing here."""

    def answered(self) -> Answered:
        """What is known by now."""


@dataclass(slots=True)
class Block:
    """A tool call that is put together from deltas."""

    id: str | None
    name: str
    arguments: Growing
    given: Any = None  # arguments that came whole
    whole: bool = True
    closed: bool = False

    def wanted(self) -> Wanted:
        """The call as far as it came."""
        return Wanted(self.id, self.name, str(self.arguments) or ({} if self.given is None else self.given), self.whole)


class Blocks:
    """Tool calls by the index that the API gives them; parallel ones interleave."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._budget, self._most, self._by_index = budget, most, {}
        self._missed = False

    def open(self, index: Any, call_id: Any, name: Any, given: Any = None) -> Block | None:
        """A new call, or the one that is there: some servers repeat its head."""
        block = self.at(index)
        if block is None and isinstance(index, int | str | tuple):
            if len(self._by_index) >= self._most:
                self._budget.over = True
                return None
            block = Block(string(call_id), string(name) or "", Growing(self._budget), given)
            block.whole = bool(block.name) or not self._missed  # without a name behind a gap: its beginning was lost
            self._by_index[index] = block
        return block

    def at(self, index: Any) -> Block | None:
        """The call with this index."""
        return self._by_index.get(index) if isinstance(index, int | str | tuple) else None

    def miss(self) -> None:
        """A piece of the stream is gone: what is still open cannot be trusted to be whole."""
        self._missed = True
        for block in self._by_index.values():
            block.whole = block.whole and block.closed

    def close(self, index: Any) -> None:
        """Nothing more comes for it."""
        if block := self.at(index):
            block.closed = True

    def wanted(self) -> list[Wanted]:
        """All calls in the order in which they began."""
        return [block.wanted() for block in self._by_index.values()]


def string(value: Any) -> str | None:
    """A text, or None."""
    return value if isinstance(value, str) else None


def kind(part: dict, default: str = "") -> str:
    """Its `type`, also where that is no text, which no set could hold."""
    found = part.get("type", default)
    return found if isinstance(found, str) else "?"


def mapping(value: Any) -> dict:
    """A dict; an empty one stands for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict]:
    """The dicts of a list."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """A number of tokens, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def whole(stream: Callable[[Budget, int], Stream], body: dict) -> Answered:
    """A whole answer of an API whose pieces have the shape of the whole: a stream of one piece, without a limit."""
    pieces = stream(Budget(1 << 62), 1 << 30)
    pieces.add(Event(0, 0, "", b""), body)
    out = pieces.answered()
    out.streamed, out.ended = False, True
    return out


def usage(value: Any, input: str, output: str, read: str = "", write: str = "") -> Usage | None:
    """Tokens by the names of an API; None where it says none."""
    found = mapping(value)
    numbers = tuple(count(found.get(name)) for name in (input, output, read, write))
    return Usage(*numbers) if any(n is not None for n in numbers) else None


def merged(old: Usage | None, new: Usage | None) -> Usage | None:
    """Later numbers replace earlier ones, as streams send them in parts."""
    if old is None or new is None:
        return new or old
    pick = [b if b is not None else a for a, b in zip(_numbers(old), _numbers(new), strict=True)]
    return Usage(*pick)


def _numbers(u: Usage) -> tuple[int | None, ...]:
    return (u.input, u.output, u.cache_read, u.cache_write)


def words(value: Any) -> str:
    """The text of a content: a string, one part, or a list of parts.

    >>> words([{"type": "text", "text": "a"}, {"type": "image"}, "b"])
    'a\\nb'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return ""
    found = (p if isinstance(p, str) else string(mapping(p).get("text")) for p in value)
    return "\n".join(t for t in found if t)


def content(value: Any) -> str:
    """What a tool gave back, as text: words where it has some, JSON otherwise."""
    return words(value) or ("" if value in (None, [], {}) else canonical(value))


def media(part: dict) -> str:
    """What stands for a picture or a file in a digest."""
    return sha256(canonical(part))


def error_of(body: Any) -> str | None:
    """What went wrong, where an answer is an error of any of these APIs."""
    found = mapping(body).get("error")
    if isinstance(found, str):
        return found
    message = mapping(found).get("message")
    if isinstance(message, str):
        return message
    lone = mapping(body).get("message")
    return lone if isinstance(lone, str) else canonical(found) if found else None
