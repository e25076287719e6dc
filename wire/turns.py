"""Turns of a conversation to digests and chains: the same whoever saw the turn, and however it was spelled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from wire import digests

ORIGIN = digests.sha256("")  # chain of a history that holds nothing


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool call in an answer or in a history."""

    id: str | None
    name: str
    arguments: Any  # JSON text, or the value itself
    whole: bool = True  # False: a piece of its stream is missing


@dataclass(frozen=True, slots=True)
class Returned:
    """A tool's result in a request."""

    id: str | None
    name: str | None
    content: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a history."""

    role: str  # "system", "user", "assistant", "tool"
    text: str = ""
    calls: tuple[Wanted, ...] = ()
    results: tuple[Returned, ...] = ()
    media: tuple[str, ...] = ()  # digests of parts that are no text


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the history. `digest` ignores ids and spelling, so an answer has it again when it comes back as history."""

    role: str  # "system", "user", "assistant" or "tool"
    digest: str
    chain: str  # sha256 over the chain before it and this digest: equal chains, equal histories
    length: int  # bytes of text and arguments


def history(turns: tuple[Turn, ...]) -> tuple[Message, ...]:
    """Turns with their digests, each chained to the one before."""
    out, chain = [], ORIGIN
    for turn in turns:
        digest, size = turn_digest(turn)
        chain = digests.chained(chain, digest)
        out.append(Message(turn.role[:32], digest, chain, size))
    return tuple(out)


def turn_digest(turn: Turn) -> tuple[str, int]:
    """A digest, and the bytes it is of. Ids, spaces around the text and the spelling of arguments do not count.

    So an answer and the same answer in a later history have one digest. Each part goes in with its length and its kind:
    as JSON, a megabyte of history would take twice as long.
    """
    parts = [("role", turn.role), ("text", turn.text.strip())]
    for call in turn.calls:
        parts += [("call", call.name), ("arguments", canonical_arguments(call.arguments))]
    parts += [("result", r.content.strip()) for r in turn.results]
    state, size = hashlib.sha256(), 0
    for kind, text in (*parts, *(("media", m) for m in turn.media)):
        data = digests.encoded(text)
        state.update(f"{kind}:{len(data)}:".encode())
        state.update(data)
        size += len(data) if kind not in ("role", "media") else 0
    return state.hexdigest(), size


def canonical_arguments(value: Any) -> str:
    """Arguments in one spelling; what is no JSON, or nested too deep, stays as it is."""
    try:
        return digests.canonical(digests.load(value) if isinstance(value, str) else value)
    except (digests.Unreadable, RecursionError):
        return value if isinstance(value, str) else "[nested too deep]"
