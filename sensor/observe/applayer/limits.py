"""How much a decoder may hold, and the numbers of what it gave up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one decoder. What passes one is dropped, counted, and named in `partial`."""

    connections: int = 4096
    total: int = 256 << 20  # bytes held by all connections
    connection: int = 24 << 20  # bytes held by one connection
    body: int = 8 << 20  # bytes of one decoded body: a 1 MiB prompt with room
    event: int = 4 << 20  # bytes of one event of a stream, one line of JSON
    waiting: int = 1 << 20  # bytes that wait for the request they answer, or for a missing chunk
    late: float = 2.0  # seconds after which a missing chunk is a gap
    head: int = 64 << 10  # bytes of request line and headers
    frame: int = 1 << 20  # bytes of one HTTP/2 frame
    streams: int = 256  # open streams of one HTTP/2 connection
    requests: int = 64  # unanswered requests of one HTTP/1.1 connection
    messages: int = 8192  # turns of one history
    tools: int = 2048  # offered in one request
    calls: int = 512  # in one answer
    pending: int = 1024  # unanswered JSON-RPC requests of one session
    sessions: int = 256  # MCP sessions that span connections


@dataclass(slots=True)
class Health:
    """Counters; they only grow."""

    bytes: int = 0
    lost: int = 0  # bytes that are known to be missing
    dropped: Counter[str] = field(default_factory=Counter)  # reason → how often
    failed: int = 0  # connections given up for a fault of ours
    records: Counter[str] = field(default_factory=Counter)
