"""Newline-framed JSON-RPC, as MCP servers speak it over pipes and socket pairs, to MCP calls."""

from __future__ import annotations

from sensor.observe.applayer import apis, mcp
from sensor.observe.applayer.events import Event, Lines
from sensor.observe.applayer.exchange import Context
from sensor.observe.applayer.lane import Piece
from sensor.observe.applayer.records import Direction, Place, Record, Span
from wire.digests import Unreadable

STRANGE = 64  # lines that are no JSON-RPC, before which none was one: then the stream is something else


class Stdio:
    """Both directions between a client and its server process."""

    def __init__(self, context: Context, *, seek: bool) -> None:
        self._context = context
        self._splitters: dict[Direction, Lines] = {d: Lines(context.limits.body) for d in ("sent", "received")}
        self._bases: dict[Direction, int | None] = {"sent": None, "received": None}
        self._seek, self._spoken, self._strange = seek, False, 0
        self.foreign = False

    @property
    def held(self) -> int:
        """Bytes kept."""
        return sum(s.held for s in self._splitters.values()) + self._context.session.held

    def feed(self, piece: Piece, *, direction: Direction) -> list[Record]:
        """The next piece of one direction."""
        lines = self._splitters[direction]
        if self._bases[direction] is None:
            self._bases[direction] = piece.start
            if self._seek:
                lines.skip(0)  # the first line began before us
        if piece.data is None:
            lines.skip(piece.length)
            return []
        return [r for event in lines.feed(piece.data) for r in self._line(event, direction, piece.time)]

    def _line(self, event: Event, direction: Direction, time: float) -> list[Record]:
        value = apis.value_of(event.data)
        if not mcp.is_rpc(value):
            self._strange += 1
            self.foreign = not self._spoken and self._strange > STRANGE  # logs on stdout are common, so not at once
            return []
        if not self._spoken:
            self._spoken = True
            self._learn_role(value, direction)
        c = self._context
        base = self._bases[direction] or 0
        span = Span(direction, base + event.start, base + event.end, time, time)
        place = Place(c.connection, c.number(), c.role)
        try:
            return list(c.session.take(value, mcp.Envelope(place, "stdio", direction, span)))
        except (Unreadable, RecursionError):
            c.health.dropped["nested too deep"] += 1
            return []

    def _learn_role(self, value: object, direction: Direction) -> None:
        """Who asks first is the client; who answers first is not."""
        first = value[0] if isinstance(value, list) else value
        asks = isinstance(first, dict) and "method" in first
        other: Direction = "received" if direction == "sent" else "sent"
        self._context.client = direction if asks else other

    def close(self, time: float) -> list[Record]:
        """The pipe ended."""
        out: list[Record] = []
        for direction, lines in self._splitters.items():
            for event in lines.finish():
                out += self._line(event, direction, time)
        return out + list(self._context.session.close("the connection ended before it"))
