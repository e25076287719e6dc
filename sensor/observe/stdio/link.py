"""Two lanes to one conversation: which of its processes is the server, and which lane brings the answers to which.

A method that only clients ask for, or only servers, decides; after that the family: a server is a child of its client, as all SDKs
start it. Lanes belong together that are one socketpair, or whose readers and writers are each other's; where a writer is a forked
helper, one side may be a relative.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sensor.observe.applayer.records import Direction
from sensor.observe.stdio.kin import Kin
from sensor.observe.stdio.lane import Lane

OTHER: dict[Direction, Direction] = {"sent": "received", "received": "sent"}
OF_CLIENTS = frozenset(
    "initialize notifications/initialized server/discover tools/list tools/call resources/list resources/read resources/subscribe "
    "resources/unsubscribe resources/templates/list prompts/list prompts/get completion/complete logging/setLevel "
    "subscriptions/listen notifications/roots/list_changed".split()
)
OF_SERVERS = frozenset(
    "sampling/createMessage roots/list elicitation/create notifications/message notifications/tools/list_changed "
    "notifications/resources/list_changed notifications/resources/updated notifications/prompts/list_changed".split()
)


class Connection(NamedTuple):
    """One conversation: the key that records carry in `place.connection`. What the client says is `sent`."""

    cgroup: int
    pid: int  # the client; 0: not known
    peer: int  # the server
    lane: int  # the first of its lanes that spoke
    born: int  # generation of that lane


@dataclass(slots=True)
class Link:
    """A client and a server, as far as their lanes are known."""

    key: Connection
    lanes: dict[Direction, Lane] = field(default_factory=dict)
    ended: set[Direction] = field(default_factory=set)
    closing: int = 0  # ns, when it is closed unless it moves before; 0: nothing of it has ended

    @property
    def open(self) -> list[Direction]:
        """Directions whose lanes have not ended."""
        return [d for d in self.lanes if d not in self.ended]

    @property
    def client(self) -> int:
        """As known by now, which may be better than by the key."""
        sent, received = self.lanes.get("sent"), self.lanes.get("received")
        return (received.reader if received else 0) or (sent.writer if sent else 0) or self.key.pid

    @property
    def server(self) -> int:
        sent, received = self.lanes.get("sent"), self.lanes.get("received")
        return (sent.reader if sent else 0) or (received.writer if received else 0) or self.key.peer


def direction_of(lane: Lane, kin: Kin) -> Direction:
    """`sent`: it goes from the client to the server."""
    by_words = _by_words(lane.first)
    if by_words is not None:
        return by_words
    if kin.descends(lane.reader, lane.writer):
        return "sent"
    if kin.descends(lane.writer, lane.reader):
        return "received"
    return "sent" if "method" in lane.first else "received"


def _by_words(message: dict[str, Any]) -> Direction | None:
    method, result = message.get("method"), message.get("result")
    if method in OF_CLIENTS:
        return "sent"
    if method in OF_SERVERS:
        return "received"
    if isinstance(result, dict) and result.keys() & {"serverInfo", "tools", "resultType"}:
        return "received"
    return None


def partner(lane: Lane, direction: Direction, links: Iterable[Link], kin: Kin) -> Link | None:
    """The conversation that this lane is the other half of; None: there is none yet."""
    free = [
        (link, link.lanes[OTHER[direction]])
        for link in links
        if link.key.cgroup == lane.cgroup and direction not in link.lanes and OTHER[direction] in link.open
    ]
    for fits in (_is_mate, _is_exact):
        found = [link for link, other in free if fits(lane, other)]
        if found:
            return found[-1]  # the youngest, where a program opened several between the same two
    found = [link for link, other in free if _is_likely(lane, other, direction, kin)]
    return found[0] if len(found) == 1 else None


def _is_mate(lane: Lane, other: Lane) -> bool:
    return lane.mate == other.number and other.mate == lane.number


def _is_exact(lane: Lane, other: Lane) -> bool:
    return lane.reader == other.writer != 0 and lane.writer == other.reader != 0


def _is_likely(lane: Lane, other: Lane, direction: Direction, kin: Kin) -> bool:
    """One process reads and writes as the server; or as the client, and the servers are of one family."""
    asks, tells = (lane, other) if direction == "sent" else (other, lane)
    if asks.reader == tells.writer != 0:
        return True
    return asks.writer == tells.reader != 0 and kin.related(asks.reader, tells.writer)
