"""Records of a run to what driftline said of each container, and of everything together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from classifier.attribution import UNRESOLVED
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.containers.cluster import PEER, PORT
from tests.containers.product import PATIENCE
from wire.records import Event, Identity, Record, Replica, Window

EGRESS = f"egress:tcp:{PEER}:{PORT}"


@dataclass(slots=True)
class Seen:
    """One container: its last identity of each of its cgroups, and what was told of them all."""

    identities: dict[Replica, Identity] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)  # behaviour → how often it began
    events: list[Event] = field(default_factory=list)
    loss: Counter[str] = field(default_factory=Counter)
    calls: Counter[int] = field(default_factory=Counter)  # number of a system call → how often

    @property
    def workloads(self) -> set[str | None]:
        return {i.workload for i in self.identities.values()}

    @property
    def connects(self) -> int:
        return self.counts[EGRESS]

    @property
    def named(self) -> int:
        """Events whose owner is known."""
        return sum(self.identities[e.replica].workload is not None for e in self.events)

    def execs(self, program: str) -> int:
        return sum(n for name, n in self.counts.items() if name.startswith(f"exec:{program}<"))

    def callers(self, program: str) -> set[str]:
        """Chains of those who ran a program, as the events of its execs tell them."""
        return {str(e.data["lineage"]) for e in self.events if e.kind == "exec" and e.data["path"] == program}


class Said:
    """Everything that was said, by container id."""

    def __init__(self, records: list[Record]) -> None:
        self._containers: dict[str, Seen] = {}
        self._identities: dict[Replica, Identity] = {}
        self._met: dict[Replica, float] = {}  # event time of its first identity, and of the first with an owner
        self._named: dict[Replica, float] = {}
        self._owned = [r for r in records if isinstance(r, Event | Window)]
        for record in records:
            if isinstance(record, Identity):
                self._note(record)
        for replica, identity in self._identities.items():
            self.of(identity.container).identities[replica] = identity
        for record in self._owned:
            self._add(record)
        self._pipeline = _replayed(records)

    def of(self, container: str) -> Seen:
        return self._containers.setdefault(container, Seen())

    @property
    def records(self) -> int:
        """Events and windows."""
        return len(self._owned)

    def nameless(self, *, but: str) -> int:
        """Events and windows whose cgroup nobody has named, without those of one container id."""
        fine = {r for r, i in self._identities.items() if i.container == but or (i.workload is not None and i.pod)}
        return sum(record.replica not in fine for record in self._owned)

    def unresolved(self, *, but: str) -> list[str]:
        """Workloads that the classifier had to make up, and what it has dropped for want of an owner."""
        found = self.made_up({w.workload for w in self._pipeline.workloads()}, but=but)
        dropped = self._pipeline.counters["parked_dropped"]
        return [*found, f"{dropped} records dropped"] if dropped else found

    def made_up(self, workloads: set[str], *, but: str) -> list[str]:
        """Those of some workloads that stand for a cgroup without an owner, without those of one container id."""
        known = {f"{UNRESOLVED}{replica.cgroup}" for replica in self.of(but).identities}
        return sorted({w for w in workloads if w.startswith(UNRESOLVED)} - known)

    def losses(self) -> Counter[str]:
        return sum((Counter(dict(w.loss)) for w in self._owned if isinstance(w, Window)), Counter())

    def slowest(self) -> float:
        """Seconds from the first sight of a cgroup to its owner, of the one for which it took longest."""
        return max((at - self._met[replica] for replica, at in self._named.items()), default=0.0)

    def _note(self, identity: Identity) -> None:
        self._identities[identity.replica] = identity
        self._met.setdefault(identity.replica, identity.time)
        if identity.workload is not None:
            self._named.setdefault(identity.replica, identity.time)

    def _add(self, record: Event | Window) -> None:
        identity = self._identities.get(record.replica)
        seen = self.of(identity.container if identity else "")
        if isinstance(record, Event):
            seen.events.append(record)
            return
        for use in record.uses:  # a conversation that goes on is used in each window, but it began once
            seen.counts[use.behaviour] += int(use.data.get("opens", use.count))
        seen.loss.update(record.loss)
        seen.calls.update(dict(record.syscalls))


def _replayed(records: list[Record]) -> Pipeline:
    pipeline = Pipeline(replace(Policy(), park=PATIENCE))
    for record in records:
        pipeline.feed(record)
    return pipeline
