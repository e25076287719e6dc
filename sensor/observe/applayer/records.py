"""What the decoder returns: one record per model call, tool call and MCP message, and one for what it could not read.

Every value says how it is known. `verified`: read in bytes that were really sent. `self_reported`: the other side claims it
about itself. `inferred`: concluded, for a start line was found again after a gap, or only the path tells the API.
`absent`: the bytes hold no such thing, or they were lost; then `partial` says what was lost.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from wire.digests import SystemPrompt, ToolDefinition
from wire.redact import Text
from wire.turns import Message

Basis = Literal["verified", "self_reported", "inferred", "absent"]
Direction = Literal["sent", "received"]  # by the process that was observed
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value and how it is known."""

    value: T | None
    basis: Basis


ABSENT: Fact = Fact(None, "absent")


def fact(value: T | None, basis: Basis) -> Fact[T]:
    """A fact, or the absent one where there is no value.

    >>> fact(None, "verified").basis
    'absent'
    """
    return ABSENT if value is None else Fact(value, basis)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes that a record rests on."""

    direction: Direction
    start: int  # absolute offset of the first byte in its direction of the connection
    end: int | None  # offset behind the last byte; None while the message is open, e.g. a long event stream
    began: float  # seconds, capture time of the first byte
    ended: float  # seconds, capture time of the last byte that was needed
    body: tuple[int, int] | None = None  # where in the decoded body, for one event of a stream


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back, as a later request told the model."""

    id: str | None  # the call it answers; None: this API has no ids
    name: str | None
    content: Text
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counts them."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Correlation ids that travelled with a message. Whoever wrote the message wrote these too."""

    traceparent: str | None = None
    baggage: tuple[tuple[str, str], ...] = ()  # only keys that name an id
    ids: tuple[tuple[str, str], ...] = ()  # known correlation headers, e.g. ("request-id", "req_1")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record was seen."""

    connection: Hashable  # the caller's key
    exchange: int  # number of the request on its connection, from 0
    role: str  # "client" or "server": what the observed process was
    host: str = ""  # as the request claims; never used to recognise anything
    path: str = ""  # without query, redacted
    status: int | None = None
    stream: int | None = None  # of HTTP/2


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One request to a model and its answer."""

    place: Place
    api: Fact[str]  # "openai-chat", "openai-responses", "anthropic", "gemini", "bedrock" or "ollama"
    model_asked: Fact[str]
    model_answered: Fact[str]
    streamed: bool
    system: Fact[SystemPrompt]
    history: tuple[Message, ...]  # of the request, oldest first, the system prompt left out
    user_turn: Fact[Text]  # the last words of the user in it
    tools: tuple[ToolDefinition, ...]
    results: tuple[ToolResult, ...]  # tool results behind the last answer in the history: new in this request
    answer: Fact[Message]  # its digest is what a later history holds; its chain goes on from `history`
    text: Fact[Text]  # words of the answer
    calls: tuple[ToolCall, ...]
    finish: Fact[str]
    usage: Fact[Usage]
    response_id: Fact[str]
    continues: Fact[str]  # id of an earlier answer or conversation that the server is asked to go on from
    trace: Trace
    request: Span | None
    response: Span | None
    error: Fact[Text] = ABSENT
    partial: tuple[str, ...] = ()  # what is missing and where; empty: nothing


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool."""

    place: Place
    index: int  # among the calls of its answer
    id: Fact[str]
    name: str
    arguments: (
        Text  # canonical JSON where the arguments are JSON; the digest is then that of the MCP call with the same
    )
    span: Span
    partial: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """An MCP server, as it calls itself."""

    name: str
    version: str
    protocol: str  # version of MCP that was agreed, "" where it was not said


@dataclass(frozen=True, slots=True)
class McpCall:
    """One JSON-RPC request with its answer, or one notification."""

    place: Place
    transport: str  # "stdio", "http" or "sse"
    method: str
    id: str | None  # as JSON; None: a notification
    by: Direction  # who asked: the observed process ("sent") or its peer
    generation: Fact[str]  # "initialize" (until 2025-11-25) or "meta" (from 2026-07-28)
    server: Fact[Server]
    tool: str | None = None  # of tools/call
    arguments: Text | None = None  # tools/call: canonical JSON; others: their params
    result: Text | None = None
    failed: bool = False  # the tool said `isError`
    error: tuple[int, Text] | None = None  # JSON-RPC code and message
    tools: tuple[ToolDefinition, ...] = ()  # of tools/list
    batch: int = 0  # how many messages it came with, 0: alone
    trace: Trace = Trace()
    request: Span | None = None
    response: Span | None = None
    partial: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Something was said that this decoder does not read."""

    place: Place
    what: str  # "websocket", "grpc", "tunnel", "h2c", "unknown", "coding:NAME"
    reason: str
    span: Span | None = None


Record = LlmCall | ToolCall | McpCall | Uncovered
