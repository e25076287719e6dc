"""What a span or a log record says of a call, in one shape for every convention. All of it is what the caller claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wire.turns import Turn


@dataclass(slots=True)
class Llm:
    """A model call as its caller tells it."""

    asked: str = ""
    answered: str = ""
    provider: str = ""
    host: str = ""
    streamed: bool | None = None
    turns: tuple[Turn, ...] = ()
    system: tuple[str, ...] = ()
    tools: tuple[tuple[str, Any], ...] = ()  # name, the whole definition
    answer: Turn | None = None
    finish: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    response_id: str = ""
    agent: str = ""
    conversation: str = ""
    first: float | None = None  # seconds from the request to the first of the answer
    error: str = ""

    @property
    def has_words(self) -> bool:
        """Whether anything that was said came along."""
        return bool(self.turns or self.system or self.answer)


@dataclass(slots=True)
class Tool:
    """A tool that ran, or was to."""

    name: str
    id: str = ""
    arguments: Any = None  # None: not told
    result: Any = None
    failed: bool = False


@dataclass(slots=True)
class Mcp:
    """One message to an MCP server."""

    method: str
    transport: str = ""
    id: str = ""
    server: str = ""
    protocol: str = ""
    host: str = ""
    tool: str = ""
    arguments: Any = None
    result: Any = None
    failed: bool = False
    error: str = ""


@dataclass(slots=True)
class Said:
    """What one span or log record tells, with its place in a trace."""

    what: Llm | Tool | Mcp
    key: str  # equal for pieces of one call
    trace: str
    span: str
    parent: str
    start: float  # seconds
    end: float
    scope: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)
    served: bool = False  # told by whoever was asked
    whole: bool = True  # False: only a log record told it, its span may come


def fill(call: Llm, other: Llm) -> None:
    """What one record of a call does not say, another may."""
    for name in Llm.__slots__:
        if getattr(call, name) in ("", None, ()):
            setattr(call, name, getattr(other, name))
