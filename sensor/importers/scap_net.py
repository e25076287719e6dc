"""Connections in a .scap capture: who talked to whom, from the tuples of its socket events."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from sensor.importers import scap_table as table
from sensor.importers.scap_blocks import RawEvent
from sensor.importers.scap_threads import number, param
from sensor.observe import classes, names
from wire.records import Behaviour

SIZES = {2: 4, 10: 16}  # address family → bytes of an address
TCP, UDP = 6, 17
STREAM, DATAGRAM = 1, 2
SOCKETS = 1 << 16


@dataclass(frozen=True, slots=True)
class Tuple:
    """Two ends of a flow."""

    source: str
    source_port: int
    target: str
    target_port: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What a socket event shows."""

    kind: str  # "egress" or "ingress"
    behaviour: Behaviour
    data: Mapping[str, str | int | float]


def unpack(raw: bytes) -> Tuple | None:
    """A tuple parameter: family u8, then address and port of either end. None for unix sockets and misfits."""
    size = SIZES.get(raw[0]) if raw else None
    if size is None or len(raw) < 1 + 2 * (size + 2):
        return None
    ends = raw[1 : size + 3], raw[size + 3 : 2 * size + 5]
    (source, source_port), (target, target_port) = (
        (_address(e[:size]), int.from_bytes(e[size:], "little")) for e in ends
    )
    return Tuple(source, source_port, target, target_port)


def _address(raw: bytes) -> str:
    if len(raw) == 4:
        return str(ipaddress.IPv4Address(raw))
    return names.address(raw)


class Sockets:
    """Which protocol each socket speaks, as far as its making was seen."""

    def __init__(self) -> None:
        self._types: dict[tuple[int, int], int] = {}  # (pid, fd) → STREAM or DATAGRAM

    def flow(self, e: RawEvent, entry: RawEvent | None, pid: int) -> Flow | None:
        """What a socket event shows of a flow; None for any other event."""
        if e.kind == table.SOCKET_EXIT:
            self._made(e, entry, pid)
        elif e.kind == table.CONNECT_EXIT:
            return self._egress(unpack(param(e.params, 1)), self._protocol(e, entry, 2, pid), number(e.params, 0))
        elif e.kind in table.ACCEPTS:
            return self._ingress(unpack(param(e.params, 1)))
        else:
            return self._sent(e, entry, pid)
        return None

    def _made(self, e: RawEvent, entry: RawEvent | None, pid: int) -> None:
        params, at = (e.params, 2) if len(e.params) > 2 else (entry.params if entry else [], 1)
        if len(self._types) >= SOCKETS:
            del self._types[next(iter(self._types))]
        self._types[pid, number(e.params, 0)] = number(params, at, 4) & 0xF

    def _protocol(self, e: RawEvent, entry: RawEvent | None, at: int, pid: int) -> int | None:
        """TCP or UDP; None where the socket is older than the capture."""
        params = e.params if len(e.params) > at else entry.params if entry else []
        fd = number(params, at if params is e.params else 0)
        return {STREAM: TCP, DATAGRAM: UDP}.get(self._types.get((pid, fd), 0))

    def _sent(self, e: RawEvent, entry: RawEvent | None, pid: int) -> Flow | None:
        """A datagram to a named peer; on a stream, connect has told it all."""
        at = table.SENDS_EXIT.get(e.kind)
        ends = unpack(param(e.params, at))
        if ends is None and entry is not None and entry.kind in table.SENDS_ENTRY:
            ends = unpack(param(entry.params, table.SENDS_ENTRY[entry.kind]))
        if ends is None or self._protocol(e, entry, 2, pid) != UDP:
            return None
        return self._egress(ends, UDP, number(e.params, 0))

    def _egress(self, ends: Tuple | None, protocol: int | None, result: int) -> Flow | None:
        if ends is None or not ends.target_port:
            return None
        spoken = protocol or (UDP if ends.target_port == 53 else TCP)
        behaviour = names.flow_of(False, spoken, names.host(ends.target, None), ends.target_port)
        data = {"address": ends.target, "port": ends.target_port, "result": result}
        return Flow("egress", classes.identity_of(ends.target) or behaviour, data)

    def _ingress(self, ends: Tuple | None) -> Flow | None:
        """An accepted connection. Datagrams that came in are left out: an answer to us looks like a stranger's."""
        if ends is None:
            return None
        behaviour = names.flow_of(True, TCP, "", ends.target_port)
        return Flow("ingress", behaviour, {"address": ends.source, "port": ends.target_port})
