"""Values of an application layer to fields of an event: bounded, on one line, sendable, one spelling whoever captured them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from wire.records import Behaviour
from wire.redact import Text

LIMIT = 512  # characters of a behaviour
EXCERPT, SHORT = 2048, 512  # bytes of a text, of one in a list
HISTORY = 48  # messages, the newest
MOST = {
    "tools": 10 << 10,
    "history": 9 << 10,
    "results": 10 << 10,
    "calls": 6 << 10,
    "partial": 1 << 10,
}  # bytes of a list
NAME = 256  # characters of a name, an image, a lineage
_SUSPECT = re.compile(r"[\x00-\x20<\\\x7f-\U0010ffff]")

T = TypeVar("T")
Data = dict[str, str | int | float]


def escaped(text: str) -> str:
    """Without what would let a name look like another: control and bidirectional characters, spaces, '<', backslashes.

    >>> escaped("a b<c")
    'a\\\\x20b\\\\x3cc'
    """
    return _SUSPECT.sub(_seen, text)


def _seen(match: re.Match[str]) -> str:
    letter = match[0]
    return letter if letter > "\x7f" and letter.isprintable() else f"\\x{ord(letter):02x}"


def cut(text: str) -> Behaviour:
    """A behaviour no longer than `LIMIT`."""
    return Behaviour(text if len(text) <= LIMIT else text[: LIMIT - 1] + "…")


def spelled(name: str) -> str:
    """A tool's name as one word that holds no `=`.

    >>> spelled("read file=x")
    'read\\\\x20file\\\\x3dx'
    """
    return escaped(name[:NAME]).replace("=", "\\x3d")[:NAME]


def excerpt(text: str, most: int = EXCERPT) -> str:
    """The beginning of a text, of so many bytes at most, without half characters.

    >>> excerpt("aé", 2)
    'a'
    """
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def text_fields(name: str, text: Text | None) -> Data:
    """A text, its digest and its length, and the policy that redacted it."""
    if text is None:
        return {}
    told = {name: excerpt(text.redacted), f"{name}_digest": text.digest, f"{name}_length": text.length}
    return told | {"redaction": text.policy}


def is_too_large(value: Any) -> bool:
    """Whether it is a count that no frame can carry."""
    return isinstance(value, int) and abs(value) > 1 << 53


def fitting(what: str, rows: Iterable[T], cut: list[str]) -> list[T]:
    """The first rows that fit into the bytes of a list; notes in `cut` where there are more."""
    kept: list[T] = []
    left = MOST[what]
    for row in rows:
        left -= len(_spelling(row).encode()) + 1
        if left < 0:
            cut.append(f"{what}: the first {len(kept)} are told")
            break
        kept.append(row)
    return kept


def as_json(rows: list[Any]) -> str:
    """A list as compact JSON; "" for an empty one."""
    return _spelling(rows) if rows else ""


def _spelling(value: Any) -> str:
    return sendable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def sendable(value: T) -> T:
    """Lone surrogates, which JSON may hold, would stop every writer downstream."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def words(reasons: Iterable[str]) -> str:
    """Reasons as words, with spaces only between them.

    >>> words(["answer: not seen", "results: the first 3 are told"])
    'answer:not-seen results:the-first-3-are-told'
    """
    spelt = (escaped(excerpt(r, 160).replace(": ", ":").replace(" ", "-")) for r in dict.fromkeys(reasons))
    return " ".join(fitting("partial", spelt, []))
