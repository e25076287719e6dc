"""Spans and log records as plain values, whichever encoding carried them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOTHING: Mapping[str, Any] = {}
DEEP = 32  # levels of an attribute's value
HEX = frozenset("0123456789abcdef")


class Broken(ValueError):
    """A body that is no OTLP; the message holds no part of it."""


class TooMuch(ValueError):
    """A body that would unfold into more than may be held."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log record, or an event of a span."""

    time: float  # seconds; 0.0: not said
    trace: str  # 32 hex digits; "" for none
    span: str  # 16 hex digits; "" for none
    name: str  # of the event
    body: Any = None
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    resource: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """One span."""

    trace: str
    id: str
    parent: str  # "" for a root
    name: str
    start: float  # seconds
    end: float
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    events: tuple[Log, ...] = ()
    failed: bool = False
    served: bool = False  # of whoever was asked, not of who asks
    resource: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    scope: str = ""


@dataclass(slots=True)
class Batch:
    """What one request carried."""

    spans: list[Span] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)  # why → spans or log records that are none

    @property
    def size(self) -> int:
        """Spans and log records, the rejected ones with them."""
        return len(self.spans) + len(self.logs) + self.rejected.total()


def seconds(nanoseconds: int) -> float:
    """Seconds since the epoch.

    >>> seconds(1_500_000_000)
    1.5
    """
    return nanoseconds / 1e9


def identifier(text: str, length: int) -> str:
    """An id of so many hex digits; "" for none and for one of zeros.

    >>> identifier("00F067AA0BA902B7", 16), identifier("0" * 16, 16)
    ('00f067aa0ba902b7', '')

    Raises:
        Broken: It is no such id.
    """
    text = text.lower()
    if text and (len(text) != length or not HEX.issuperset(text)):
        raise Broken("an id is not of its length or not hexadecimal")
    return "" if not text.strip("0") else text
