"""Canonical JSON and what is hashed from it: tools, messages, masked prompts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

DEEP = 100  # levels; deeper JSON is refused, for a recursion must not end a sensor
VOLATILE = re.compile(
    r"(?P<url>\bhttps?://\S+)"
    r"|(?P<uuid>\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b)"
    r"|(?P<hex>\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b)"
    r"|(?P<date>\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b,?"
    r"|\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:tember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.? (?=\d))"
    r"|(?P<path>(?<![\w.])(?:~|\.{1,2}|[a-z]:)?(?:[/\\][\w.@+-]+)+[/\\]?)"
    r"|(?P<number>\d[\d.,:tz+-]*)",
    re.IGNORECASE,
)
KEPT_BLOCKS = 4096
MASKED = 256 << 10  # characters of a prompt that are masked; telling paths apart takes a hundred times their memory
_blocks: dict[str, str] = {}
BLOCKS = re.compile(r"\n\s*\n")


class Unreadable(ValueError):
    """Bytes that are no JSON, or JSON that nobody sane sends. Holds no part of them."""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool that was offered. The digest is of the canonical JSON of the whole object, so a changed schema shows."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """A system prompt without its words: blocks are masked (dates, numbers, paths, ids) and hashed."""

    identity: str  # over the sorted digests of the blocks
    blocks: tuple[str, ...]  # one digest per paragraph, in order
    digest: str  # of the text as it was
    length: int  # bytes


def load(data: bytes | str) -> Any:
    """JSON to values. Python's reader has the second word: it takes lone surrogates and NaN, as many servers do."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except (msgspec.MsgspecError, ValueError):
        pass
    try:
        return json.loads(data)
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except ValueError:  # also UnicodeDecodeError; its text would quote the bytes
        raise Unreadable("no JSON") from None


def plain(value: Any, depth: int = DEEP) -> Any:
    """The value with whole floats as integers: a client that writes 1.0 as 1 sends the same arguments."""
    if depth == 0:
        raise Unreadable("nested too deep")
    if isinstance(value, dict):
        return {k: plain(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v, depth - 1) for v in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def canonical(value: Any) -> str:
    """One spelling per value: sorted keys, no spaces.

    >>> canonical({"b": 1.0, "a": "é"})
    '{"a":"é","b":1}'
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def encoded(text: str) -> bytes:
    """UTF-8, also of lone surrogates, which JSON may hold."""
    return text.encode("utf-8", "surrogatepass")


def sha256(text: str | bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(encoded(text) if isinstance(text, str) else text).hexdigest()


def chained(before: str, digest: str) -> str:
    """The chain after one more digest."""
    return sha256(f"{before}:{digest}")


def tool(value: Any, name: str) -> ToolDefinition:
    """A tool that was offered, hashed whole: a description that stays while the schema changes is another tool."""
    return ToolDefinition(name, sha256(canonical(value)))


def masked(text: str) -> str:
    """The text without what changes from call to call.

    >>> masked("Today is Friday, 2026-11-20. cwd: /home/ann/x, attempt 7")
    'Today is <date> <number> cwd: <path>, attempt <number>'
    """
    return VOLATILE.sub(lambda m: f"<{m.lastgroup}>", text)


def _block(text: str, room: int) -> str:
    """A paragraph's digest. Masking is slow and most paragraphs stay, so results are kept, by digest and not by text.

    Args:
        room: Characters that may still be masked; a paragraph beyond them counts as it is.
    """
    key = sha256(text)
    if len(text) > room:
        return key
    found = _blocks.pop(key, None) or sha256(" ".join(masked(text).split()))
    _blocks[key] = found  # moved to the end: the least recently used goes first
    if len(_blocks) > KEPT_BLOCKS:
        del _blocks[next(iter(_blocks))]
    return found


def joined(texts: Iterable[str]) -> str:
    """A system prompt as one text; `SystemPrompt.digest` is of it."""
    return "\n\n".join(t for t in texts if t)


def system_prompt(texts: Iterable[str]) -> SystemPrompt | None:
    """A system prompt by paragraph; None where there is none."""
    whole = joined(texts)
    if not whole:
        return None
    blocks, room = [], MASKED
    for b in BLOCKS.split(whole):
        if b.strip():
            blocks.append(_block(b, room))
            room -= len(b)
    return SystemPrompt(sha256("".join(sorted(blocks))), tuple(blocks), sha256(whole), len(encoded(whole)))
