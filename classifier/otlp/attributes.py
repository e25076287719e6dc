"""Attributes by their names, old and new: the first that is there counts. Lists that were flattened into names are lists again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from wire.digests import Unreadable, load

Attributes = Mapping[str, Any]
ROWS = 8192  # of a list that was flattened
JSON_START = ("{", "[")


def text(attributes: Attributes, names: Iterable[str]) -> str:
    """The first value that is a text.

    >>> text({"b": "x"}, ("a", "b"))
    'x'
    """
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def count(attributes: Attributes, names: Iterable[str]) -> int | None:
    """The first value that is a count.

    >>> count({"b": "7"}, ("a", "b"))
    7
    """
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value.isdecimal() and len(value) < 16:
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 53:
            return int(value)
    return None


def flag(attributes: Attributes, names: Iterable[str]) -> bool | None:
    """The first value that is a yes or no, also as a text."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
    return None


def value(attributes: Attributes, names: Iterable[str]) -> Any:
    """The first value that is there, JSON in a text opened."""
    for name in names:
        found = attributes.get(name)
        if found is not None and found != "":
            return opened(found)
    return None


def opened(found: Any) -> Any:
    """What a text of JSON says; anything else as it is.

    >>> opened('[1]'), opened("[x")
    ([1], '[x')
    """
    if isinstance(found, str) and found.lstrip()[:1] in JSON_START:
        try:
            return load(found)
        except Unreadable:
            return found
    return found


def rows(attributes: Attributes, prefix: str) -> list[dict[str, Any]]:
    """A list whose members were flattened into `prefix.0.name`, each as a mapping from the rest of the name.

    >>> rows({"m.0.role": "user", "m.1.role": "tool", "m.1.c.0.id": "x"}, "m")
    [{'role': 'user'}, {'role': 'tool', 'c.0.id': 'x'}]
    """
    found: dict[int, dict[str, Any]] = {}
    for name, held in attributes.items():
        if not name.startswith(prefix + "."):
            continue
        number, dot, rest = name[len(prefix) + 1 :].partition(".")
        if dot and number.isdecimal() and len(number) < 6 and (int(number) in found or len(found) < ROWS):
            found.setdefault(int(number), {})[rest] = held
    return [found[number] for number in sorted(found)]


def hostname(address: str) -> str:
    """The host of an address or URL, without port, user and path.

    >>> hostname("https://u:p@API.example.org:443/v1"), hostname("::1")
    ('api.example.org', '::1')
    """
    bare = address.partition("://")[2] or address
    bare = re.split(r"[/?#]", bare, maxsplit=1)[0].rpartition("@")[2].lower()
    if bare.startswith("["):
        return bare[1:].partition("]")[0]
    return bare.partition(":")[0] if bare.count(":") == 1 else bare
