"""Bytes of connections in, records of model calls, tool calls and MCP calls out.

The caller names a connection, a direction and an absolute offset for every chunk; `docs/applayer.md` holds the contract.
Nothing here reads a clock, a file or a socket, and no exception of hostile bytes leaves it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from sensor.observe.applayer.connection import Connection, Kind
from sensor.observe.applayer.exchange import Context
from sensor.observe.applayer.lane import OVERHEAD
from sensor.observe.applayer.limits import Health, Limits
from sensor.observe.applayer.mcp import Sessions
from sensor.observe.applayer.records import Direction, Record
from wire.redact import Policy, Redactor, Sealed

WEIGH = 8 << 10  # bytes after which a connection is weighed again: weighing costs as much as a small chunk


class Decoder:
    """All connections of a sensor.

    >>> decoder = Decoder()
    >>> decoder.data("c1", "sent", 0, b"GET / HTTP/1.1\\r\\n", time=1.0)
    []
    """

    def __init__(
        self, limits: Limits | None = None, policy: Policy | None = None, sealed: Sealed | None = None
    ) -> None:
        self.limits, self.health = limits or Limits(), Health()
        self._redactor = Redactor(policy or Policy(), sealed)
        self._sessions = Sessions(self.limits, self._redactor, self.health)
        self._connections: OrderedDict[Hashable, Connection] = OrderedDict()  # least recently used first
        self._sizes: dict[Hashable, int] = {}
        self.held = 0  # bytes kept by all connections

    def __repr__(self) -> str:
        return f"<Decoder of {len(self._connections)} connections>"

    def open(
        self,
        key: Hashable,
        *,
        whole: bool = True,
        kind: Kind = "",
        owner: Hashable = None,
        client: Direction | None = None,
    ) -> None:
        """Says what is known of a connection before its first chunk. Without it: seen from its start, by no owner.

        `whole=False`: it was open before we came. `kind="stdio"`: a pipe, so newline-framed JSON-RPC or nothing.
        """
        limits, redactor, health = self.limits, self._redactor, self.health
        session = self._sessions.new()
        context = Context(key, owner, limits, redactor, health, self._sessions, session, client or "sent")
        self._connections[key] = Connection(context, whole=whole, kind=kind, client=client)

    def data(self, key: Hashable, direction: Direction, offset: int, data: bytes, time: float) -> list[Record]:
        """A chunk of one direction. `offset`: absolute, of its first byte; `time`: seconds, of the capture."""
        self.health.bytes += len(data)
        return self._run(key, time, lambda c: c.data(direction, offset, data, time), len(data))

    def gap(self, key: Hashable, direction: Direction, offset: int, length: int, time: float) -> list[Record]:
        """Bytes that the capture knows it lost, or cut off."""
        return self._run(key, time, lambda c: c.gap(direction, offset, length, time))

    def close(self, key: Hashable, time: float) -> list[Record]:
        """The connection ended. Its key may be used again."""
        connection = self._connections.get(key)
        if connection is None:
            return []
        out = self._guarded(key, connection, lambda c: c.close(time))
        self._forget(key)
        return self._counted(out)

    def settle(self, time: float) -> list[Record]:
        """To be called now and then: what is missing for too long is a gap, what was never answered is told."""
        out: list[Record] = []
        for key, connection in list(self._connections.items()):
            if connection.pending:
                out += self._guarded(key, connection, lambda c: c.settle(time))
                self._weigh(key, connection)
            out += connection.context.session.overdue(time)
        return self._counted(out + list(self._sessions.overdue(time)))

    def finish(self, time: float) -> list[Record]:
        """Closes everything."""
        out = [record for key in list(self._connections) for record in self.close(key, time)]
        return out + self._counted(list(self._sessions.close()))

    def _run(
        self, key: Hashable, time: float, act: Callable[[Connection], list[Record]], size: int = WEIGH
    ) -> list[Record]:
        if key not in self._connections:
            self.open(key)
        connection = self._connections[key]
        self._connections.move_to_end(key)
        out = self._guarded(key, connection, act)
        connection.unweighed += size + OVERHEAD
        if connection.unweighed > WEIGH:
            self._weigh(key, connection)
        return self._counted(out + self._shed(time)) if out or self._is_over() else []

    def _guarded(
        self, key: Hashable, connection: Connection, act: Callable[[Connection], list[Record]]
    ) -> list[Record]:
        """A fault of ours costs one connection, is counted, and says nothing of the bytes that led to it."""
        try:
            return act(connection)
        except Exception:  # the worker's one wide net: these bytes were made by strangers
            self.health.failed += 1
            connection.foreign = True
            connection.drop()
            return []

    def _weigh(self, key: Hashable, connection: Connection) -> None:
        size, connection.unweighed = connection.held, 0
        if size > self.limits.connection:  # a stream of one connection may be dropped by itself; this is what is left
            self.health.dropped["connection over its limit"] += 1
            connection.foreign = True
            connection.drop()
            size = connection.held
        self.held += size - self._sizes.get(key, 0)
        self._sizes[key] = size

    def _shed(self, time: float) -> list[Record]:
        """Drops the connections that were quiet for longest."""
        out: list[Record] = []
        while self._is_over():
            key, connection = next(iter(self._connections.items()))
            self.health.dropped["connection"] += 1
            out += self._guarded(key, connection, lambda c: c.close(time))
            self._forget(key)
        return out

    def _is_over(self) -> bool:
        many = len(self._connections)
        return many > 1 and (self.held > self.limits.total or many > self.limits.connections)

    def _forget(self, key: Hashable) -> None:
        self._connections.pop(key, None)
        self.held -= self._sizes.pop(key, 0)

    def _counted(self, out: list[Record]) -> list[Record]:
        for record in out:
            self.health.records[type(record).__name__] += 1
        return out
