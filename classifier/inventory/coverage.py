"""Events of coverage to whose words were read when, and why those of others were not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from classifier.envelope.state import stored
from classifier.inventory.sighting import cut
from wire.records import Event, Replica

READ = ("symbol", "signature", "otlp")  # rungs on which words are known
UNREAD = ("uncovered", "metadata")  # rungs on which some are spoken and none is known
SOURCES = ("tls", "stdio", "otlp")
UNCOVERED = "uncovered"  # the word for it in an inventory
NOW, BEFORE = 256, 128  # processes of a workload that stand somewhere; rungs that were left
REASON = 1024  # characters
UNHEARD = "model and tool calls of some processes were not read: uncovered TLS"  # a blind spot of an envelope


class Standing(Protocol):
    """What a stand and its plain form share."""

    @property
    def replica(self) -> Any: ...

    @property
    def rung(self) -> str: ...


S = TypeVar("S", bound=Standing)


@stored
@dataclass(slots=True)
class Stand:
    """One process on one rung. Times in seconds."""

    replica: Replica
    source: str  # of `SOURCES`
    pid: int  # as its node counts; 0: the replica as a whole
    rung: str
    reason: str  # why no higher; "" for the highest
    library: str
    image: str
    since: float
    until: float | None = None
    evidence: str = ""  # id of the event


@stored
@dataclass(slots=True)
class Stands:
    """The processes of one workload."""

    here: dict[str, Stand] = field(default_factory=dict)
    before: list[Stand] = field(default_factory=list)
    crowded: int = 0  # processes for which there was no room

    def note(self, event: Event) -> None:
        """A process stands on a rung from now on."""
        stand = _stand(event)
        key = _key(stand.replica, stand.pid, stand.source)
        self._leave(key, event.time)
        if stand.rung not in (*READ, *UNREAD):
            return
        self._enter(key, stand)

    def ended(self, replica: Replica, time: float, pid: int | None = None) -> None:
        """A process is gone; without a number, all of its replica."""
        if pid is None:
            gone = [k for k, s in self.here.items() if s.replica == replica]
        else:
            gone = [_key(replica, pid, source) for source in SOURCES]
        for key in gone:
            self._leave(key, time)

    def every(self) -> Iterator[Stand]:
        """Those that stand, and those that stood."""
        yield from self.before
        yield from self.here.values()

    def adopt(self, other: Stands) -> None:
        """What was told before anybody named the replica's owner."""
        self.before = [*other.before, *self.before][-BEFORE:]
        for key, stand in other.here.items():
            if key not in self.here:
                self._enter(key, stand)
        self.crowded += other.crowded

    def _enter(self, key: str, stand: Stand) -> None:
        if len(self.here) < NOW:
            self.here[key] = stand
        else:
            self.crowded += 1

    def _leave(self, key: str, time: float) -> None:
        if (old := self.here.pop(key, None)) is not None:
            old.until = max(time, old.since)
            self.before = [*self.before, old][-BEFORE:]


def unread(stands: Iterable[S]) -> list[S]:
    """Those of whose words nobody knows; not where their replica tells of itself."""
    every = list(stands)
    telling = {s.replica for s in every if s.rung == "otlp"}
    return [s for s in every if s.rung in UNREAD and s.replica not in telling]


def _stand(event: Event) -> Stand:
    data = event.data
    words = {name: str(data.get(name) or "") for name in ("rung", "reason", "library", "image", "source")}
    pid = data.get("pid")
    return Stand(
        event.replica,
        cut(words["source"]),
        pid if isinstance(pid, int) else 0,
        cut(words["rung"]),
        words["reason"][:REASON],
        cut(words["library"]),
        cut(words["image"]),
        event.time,
        None,
        event.id,
    )


def _key(replica: Replica, pid: int, source: str) -> str:
    return f"{replica.node}/{replica.cgroup}/{replica.generation}/{source}/{pid}"
