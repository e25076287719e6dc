"""Connections of containers to our receivers, as the sensor saw them in the kernel, to whose each is.

A container with a network namespace of its own has its sockets there, where nobody here can look them up. The sensor's programs
see both ends of a handshake, know them by the number that the dialler's kernel chose, and tell which cgroup made the dialler's
socket and what addresses and ports the accepted one has. Each such word stands for one accepted connection and for no second
one, so a port that is used again needs a word of its own.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from wire.records import Event, Replica

KIND = "dial"
KEPT = 10.0  # seconds for which a word waits for the first request of its connection
EACH = 1024  # words of one replica that wait
REPLICAS = 1024
CLAIMED = 8192  # connections whose end is known


@dataclass(frozen=True, slots=True)
class Ends:
    """A TCP connection that we accepted: address and port of the other end, and of ours."""

    peer: tuple[str, int]
    here: tuple[str, int]
    cookie: int = 0  # the kernel's number of our socket, which no other has; 0: not known


Wire = tuple[str, int, str, int]


class Dials:
    """What sensors told of connections to us.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._told: OrderedDict[Replica, deque[tuple[float, Wire]]] = OrderedDict()
        self._whose: dict[Wire, list[Replica]] = {}
        self._claimed: OrderedDict[int, Replica] = OrderedDict()

    def tell(self, event: Event) -> None:
        """A sensor's word."""
        wire = _wire(event)
        if wire is None:
            return
        with self._lock:
            told = self._told.pop(event.replica, None)
            self._told[event.replica] = told = deque() if told is None else told
            told.append((self._clock(), wire))
            self._whose.setdefault(wire, []).append(event.replica)
            self._tidy(event.replica)

    def claim(self, ends: Ends) -> Replica | None:
        """Whose a connection is. None: nobody has told yet, or two have, so neither is believed."""
        with self._lock:
            if ends.cookie in self._claimed:
                self._claimed.move_to_end(ends.cookie)
                return self._claimed[ends.cookie]
            self._expire()
            wire = (bare(ends.peer[0]), ends.peer[1], bare(ends.here[0]), ends.here[1])
            found = set(self._whose.get(wire, ()))
            if len(found) != 1 or not ends.cookie:
                return None
            self._claimed[ends.cookie] = replica = found.pop()
            del self._whose[wire]
            self._told[replica] = deque(word for word in self._told[replica] if word[1] != wire)
            if len(self._claimed) > CLAIMED:
                self._claimed.popitem(last=False)
            return replica

    def _expire(self) -> None:
        before = self._clock() - KEPT
        for replica, told in list(self._told.items()):
            while told and told[0][0] < before:
                self._forget(replica, told.popleft()[1])
            if not told:
                del self._told[replica]

    def _tidy(self, replica: Replica) -> None:
        told = self._told[replica]
        if len(told) > EACH:
            self._forget(replica, told.popleft()[1])
        if len(self._told) > REPLICAS:
            other, left = self._told.popitem(last=False)
            for _, wire in left:
                self._forget(other, wire)

    def _forget(self, replica: Replica, wire: Wire) -> None:
        rows = self._whose.get(wire, [])
        if replica in rows:
            rows.remove(replica)
        if not rows:
            self._whose.pop(wire, None)


def bare(address: str) -> str:
    """Without a zone, and IPv4 in its own form.

    >>> bare("::ffff:127.0.0.1"), bare("fe80::1%eth0")
    ('127.0.0.1', 'fe80::1')
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    return str(getattr(found, "ipv4_mapped", None) or found)


def _wire(event: Event) -> Wire | None:
    found = tuple(event.data.get(name) for name in ("address", "port", "to", "to_port"))
    if not all(isinstance(f, kind) for f, kind in zip(found, (str, int, str, int), strict=True)):
        return None
    try:
        return bare(str(found[0])), int(str(found[1])), bare(str(found[2])), int(str(found[3]))
    except ValueError:  # no address
        return None
