"""Windows and events to whose they are, with identities that may come late.

The kubelet names a pod seconds after its first exec, so what comes before its identity waits, bounded in event time
and in number. What nobody named in time belongs to ``unresolved:<cgroup id>`` and is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from sys import intern

from classifier.envelope.state import stored
from wire.records import Event, Identity, Replica, Window, Workload

Owned = Window | Event
UNRESOLVED = "unresolved:"
COMMON = ("workload", "revision", "source", "name", "image")  # of identities, the same for many
NO_ROOM = "no room to wait for its owner"  # a loss


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a record is."""

    workload: Workload
    revision: str | None


@stored
@dataclass(slots=True)
class Attribution:
    """Identities known so far and the records that wait for one."""

    wait: float  # seconds of event time
    limit: int  # records
    identities: dict[Replica, Identity] = field(default_factory=dict)
    parked: dict[Replica, list[Owned]] = field(default_factory=dict)
    waiting: int = 0
    dropped: int = 0
    given_up: dict[Replica, str] = field(default_factory=dict)  # replica → unresolved key
    times: dict[str, float] = field(default_factory=dict)  # node → last tick
    away: dict[Replica, tuple[int, float, float]] = field(
        default_factory=dict
    )  # found no room: how many, from when to when

    def owner(self, record: Owned) -> Owner | None:
        """Whose a record is; None: it was parked, and comes back from `learn` or `expire`."""
        identity = self.identities.get(record.replica)
        if identity is not None and identity.workload is not None:
            return Owner(identity.workload, identity.revision)
        if record.replica in self.given_up:
            return self._unresolved(record.replica)
        self._park(record)
        return None

    def learn(self, identity: Identity) -> list[Owned]:
        """Take an identity; returns what waited for it, oldest first."""
        before = self.identities.get(identity.replica)
        if before is not None and before.workload is not None and identity.workload is None:
            return []  # somebody named it already; a later "not known" takes nothing back
        identity = _shared(identity, before)
        self.identities[identity.replica] = identity
        if identity.workload is None:
            return []
        self.given_up.pop(identity.replica, None)
        return self._release(identity.replica)

    def seen(self, cgroup: int) -> list[Identity]:
        """Identities of a cgroup id, whichever node's and boot's."""
        return [i for r, i in self.identities.items() if r.cgroup == cgroup]

    def expire(self, node: str, time: float) -> list[Owned]:
        """Everything of a node up to `time` was sent; returns what has waited too long, now unresolved."""
        self.times[node] = max(time, self.times.get(node, time))
        if not (self.waiting or self.away):
            return []
        since = {r: end for r, (_, _, end) in self.away.items()} | {r: _time(w[0]) for r, w in self.parked.items()}
        late = [r for r, waits in since.items() if r.node == node and waits + self.wait < time]
        for replica in late:
            self.given_up[replica] = self._key(replica)
        return [record for replica in late for record in self._release(replica)]

    def forget(self, before: float) -> None:
        """Drop identities whose cgroups went before a time; late windows of theirs would no longer be known."""
        gone = [r for r, i in self.identities.items() if i.ended is not None and i.ended < before]
        for replica in gone:
            del self.identities[replica]
            self.given_up.pop(replica, None)

    def _park(self, record: Owned) -> None:
        if self.waiting >= self.limit:
            self._turn_away(record)
            return
        self.parked.setdefault(record.replica, []).append(record)
        self.waiting += 1

    def _turn_away(self, record: Owned) -> None:
        """What is lost of a replica must reach its envelope, or that would call itself whole."""
        self.dropped += 1
        begun = record.start if isinstance(record, Window) else record.time
        n, start, end = self.away.get(record.replica, (0, begun, begun))
        if n or len(self.away) < self.limit:
            self.away[record.replica] = n + 1, min(start, begun), max(end, _time(record))

    def _release(self, replica: Replica) -> list[Owned]:
        records = self.parked.pop(replica, [])
        self.waiting -= len(records)
        if replica in self.away:
            n, start, end = self.away.pop(replica)
            records.append(Window(replica, start, end, loss={NO_ROOM: n}))
        return records

    def _unresolved(self, replica: Replica) -> Owner:
        identity = self.identities.get(replica)
        return Owner(Workload(self.given_up[replica]), identity.revision if identity else None)

    def _key(self, replica: Replica) -> str:
        """The plain key; with the node behind it where another replica has it already: ids repeat between nodes."""
        plain = f"{UNRESOLVED}{replica.cgroup}"
        taken = plain in self.given_up.values()
        return f"{plain}@{replica.node}/{replica.generation}" if taken else plain


def _shared(identity: Identity, before: Identity | None) -> Identity:
    """The same, of texts that other identities hold as well: those of replicas that have ended stay for a day."""
    replica = replace(identity.replica, node=intern(identity.replica.node)) if before is None else before.replica
    texts = {name: intern(text) for name in COMMON if (text := getattr(identity, name))}
    return replace(identity, replica=replica, **texts)


def _time(record: Owned) -> float:
    return record.end if isinstance(record, Window) else record.time
