"""Cgroups become owners: at once as far as their paths tell, later with what runtimes and unit files say."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace

from sensor.identity import rules
from sensor.identity.facts import Facts, Key, Owners
from sensor.identity.fetch import Fetcher
from sensor.identity.names import clean
from sensor.identity.owners import LabelOwners
from sensor.identity.paths import ID, Place, parse
from sensor.identity.settings import IdentitySettings
from sensor.identity.sources import Sources, key_of, unit_workload
from wire.records import Identity, Replica, Workload

PATH = 4096  # characters of a path that a record keeps
LASTING = re.compile(f".*:{ID}")  # a container's id names one container for ever; units and `ctr` use a name again


@dataclass(slots=True)
class _Known:
    """One replica: what was said of it last, and what is still being asked."""

    identity: Identity
    path: str
    key: Key | None = None  # the question about it; None: nothing to ask, or a rule has answered
    waiting: bool = False
    basis: str = ""
    agent: bool | None = None

    def learn(self, facts: Facts) -> None:
        self.identity, self.basis, self.agent = with_facts(self.identity, facts), facts.basis, facts.agent


class Resolver:
    """Identities of replicas. `resolve` and `poll` never wait; a thread of its own asks the runtimes.

    Everything held is bounded; what did not fit or was not answered is counted in `dropped`.
    """

    def __init__(self, settings: IdentitySettings, owners: Owners | None = None) -> None:
        self._settings = settings
        self._sources = Sources(settings, owners or LabelOwners())
        self._fetcher = Fetcher(
            self._sources.fetch, queue=settings.queue, patience=settings.patience, end=self._sources.close
        )
        self._known: OrderedDict[Replica, _Known] = OrderedDict()
        self._facts: OrderedDict[Key, Facts] = OrderedDict()
        self._waiting: dict[Key, dict[Replica, None]] = {}
        self._nodes: dict[str, None] = {}
        self.dropped: Counter[str] = Counter()

    @property
    def refused(self) -> dict[str, int]:
        """Socket → questions that it did not answer."""
        return dict(self._sources.refused)

    def resolve(self, replica: Replica, path: str, time: float) -> Identity:
        """What is known now of the replica whose cgroup has `path`; asks for the rest, which `poll` will return."""
        known = self._known.get(replica)
        if known is None or known.path != path:
            known = self._known[replica] = self._begun(replica, path, time)
        self._known.move_to_end(replica)
        self._shrink()
        return known.identity

    def poll(self, time: float) -> list[Identity]:
        """Identities that have become better since the last time, ended replicas' among them."""
        improved: list[Identity] = []
        for key, facts in self._fetcher.answers():
            waiting = self._waiting.pop(key, {})
            if facts is None:
                self.dropped["no answer"] += 1
            elif LASTING.fullmatch(key):
                self._keep(key, facts)
            improved += (i for replica in waiting if (i := self._improved(replica, facts, time)) is not None)
        return improved

    def ended(self, replica: Replica, time: float) -> Identity:
        """The identity of a replica whose cgroup has gone; it is forgotten as soon as no answer is awaited."""
        known = self._known.get(replica)
        if known is None:
            self.dropped["ended unknown"] += 1
            return Identity(time, replica, "", None, None, "cgroup", ended=time)
        known.identity = replace(known.identity, time=time, ended=time)
        if not known.waiting:
            del self._known[replica]
        return known.identity

    def basis(self, replica: Replica) -> str:
        """What the replica's workload rests on, in words; "" where nothing has been said."""
        known = self._known.get(replica)
        return known.basis if known else ""

    def agent(self, replica: Replica) -> bool | None:
        """Whether a label says that the replica is an agent, or none; None where no label speaks of it."""
        known = self._known.get(replica)
        return known.agent if known else None

    def close(self) -> None:
        """Ends the thread and the processes it started."""
        self._fetcher.close()

    def _begun(self, replica: Replica, path: str, time: float) -> _Known:
        place = parse(path, (*self._settings.roots, *self._nodes))
        known = _Known(first_identity(replica, path, place, self._settings.rules, time), path)
        if known.identity.source == "rule":
            return known
        known.key = key_of(place)
        facts = self._facts.get(known.key) if known.key else None
        if facts is not None:
            known.learn(facts)
        elif known.key:
            self._ask(replica, known, place)
        return known

    def _ask(self, replica: Replica, known: _Known, place: Place) -> None:
        waiting = self._waiting.get(known.key)
        if waiting is None and not self._fetcher.ask(known.key, place):
            self.dropped["queue full"] += 1
            return
        self._waiting.setdefault(known.key, {})[replica] = None
        known.waiting = True

    def _improved(self, replica: Replica, facts: Facts | None, time: float) -> Identity | None:
        known = self._known.get(replica)
        if known is None or not known.waiting:
            return None
        before, known.waiting = known.identity, False
        if facts is not None:
            self._learn(replica, known, facts, time)
        if before.ended is not None and not known.waiting:
            del self._known[replica]
        return known.identity if replace(known.identity, time=before.time) != before else None

    def _learn(self, replica: Replica, known: _Known, facts: Facts, time: float) -> None:
        outer = parse(known.path, (*self._settings.roots,))
        if facts.node and outer.base not in self._nodes and len(self._nodes) < self._settings.queue:
            self._nodes[outer.base] = None
        ended = known.identity.ended
        if facts.node and parse(known.path, tuple(self._nodes)) != outer:
            again = self._begun(replica, known.path, time)
            known.identity, known.key, known.waiting = again.identity, again.key, again.waiting
        else:
            known.learn(facts)
        known.identity = replace(known.identity, time=time, ended=ended)

    def _keep(self, key: Key, facts: Facts) -> None:
        self._facts[key] = facts
        if len(self._facts) > self._settings.replicas:
            self._facts.popitem(last=False)

    def _shrink(self) -> None:
        if len(self._known) > self._settings.replicas:
            self._known.popitem(last=False)
            self.dropped["replicas full"] += 1


def first_identity(replica: Replica, path: str, place: Place, known: tuple[rules.Rule, ...], time: float) -> Identity:
    """What path and rules tell. A container by its id alone has no workload: guessing would join strangers."""
    shown, container = clean_path(path), clean(place.container)
    named = rules.first(known, path)
    if named is not None:
        return Identity(time, replica, shown, Workload(named.workload), named.revision, "rule", container, named.name)
    if place.kind in ("unit", "scope", "slice"):
        return Identity(time, replica, shown, unit_workload(place), None, "systemd")
    return Identity(time, replica, shown, None, None, "cgroup", "" if place.kind == "task" else container)


def with_facts(identity: Identity, facts: Facts) -> Identity:
    """The identity with what a source adds to it."""
    return replace(
        identity,
        workload=facts.workload or identity.workload,
        revision=facts.revision or identity.revision,
        source=facts.source,
        container=facts.container or identity.container,
        name=facts.name or identity.name,
        pod=facts.pod or identity.pod,
        image=facts.image or identity.image,
    )


def clean_path(path: str) -> str:
    """The path for a record: control characters escaped, cut at 4 KiB."""
    shown = "/".join(clean(part) for part in path[: PATH + 1].split("/"))
    return shown if len(shown) <= PATH else shown[: PATH - 1] + "…"
