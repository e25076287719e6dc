"""Values to the one form in which they are hashed: JSON as RFC 8785 writes it, by the library of that name.

Another party can check a row with any other implementation of that standard.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import rfc8785

DEEP = 40  # levels
EXACT = 1 << 53  # whole numbers from here on are not the same in every reader of JSON


class CanonError(ValueError):
    """Bytes or values that have no canonical form. The message holds no part of them."""


def plain(value: Any, depth: int = DEEP) -> Any:
    """The value as JSON can hold it exactly: large numbers as text, half characters as escapes.

    >>> plain({"id": 1 << 60, "part": float("nan"), 3: ("a", 1.5)})
    {'id': '1152921504606846976', 'part': None, '3': ['a', 1.5]}
    """
    if depth == 0:
        raise CanonError("nested too deep")
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -EXACT < value < EXACT else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if abs(value) < EXACT else repr(value)
    if isinstance(value, Mapping):
        return {plain(str(k)): plain(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v, depth - 1) for v in value]
    raise CanonError(f"a {type(value).__name__} is no value of JSON")


def canonical(value: Any) -> bytes:
    """The canonical bytes.

    >>> canonical({"b": 1.0, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}'
    """
    try:
        return rfc8785.dumps(plain(value))
    except (rfc8785.CanonicalizationError, RecursionError) as e:
        raise CanonError(f"no canonical form: {type(e).__name__}") from e


def read(data: bytes) -> Any:
    """The value of canonical bytes.

    Raises:
        CanonError: They are no JSON, or another spelling of it.
    """
    try:
        value = json.loads(data)
        same = canonical(value) == data
    except (ValueError, RecursionError) as e:
        raise CanonError("no JSON") from e
    if not same:
        raise CanonError("not in canonical form")
    return value


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
