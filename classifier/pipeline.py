"""Records in, findings out. The one road for live data, replay and tests.

No clock, no I/O, no randomness: time is what the records say, so the same records give the same findings byte for
byte, on any machine and however often the state was cut into a snapshot and restored in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from classifier.attribution import UNRESOLVED, Attribution
from classifier.classes.known import Known
from classifier.classes.pins import SIGNED, Pins
from classifier.classes.proposal import Proposal, survey
from classifier.deploys.timeline import Timeline, concerns
from classifier.drift.beside import beside
from classifier.drift.finding import Finding
from classifier.drift.posterior import Weights, shipped
from classifier.drift.ward import Ward
from classifier.envelope.envelope import Envelope
from classifier.envelope.state import StateError, freeze, stored, thaw
from classifier.inventory.coverage import UNHEARD, UNREAD
from classifier.inventory.stock import Stock
from classifier.inventory.view import unheard
from classifier.links.turns import Turns
from classifier.policy import Policy
from wire.records import Deploy, Event, Gap, Head, Identity, Pin, Record, Tick, Triage, Use, Window, Workload

FORMAT = 1  # of a snapshot


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """One row of ``workload list``. Times in seconds."""

    workload: Workload
    state: str  # learning, converging, converged, non-converging, ageing, partial or missing
    because: str  # the rule, with its numbers
    replicas: int
    revisions: tuple[str, ...]  # oldest first
    active_seconds: float  # observed time of all replicas
    behaviours: int
    expected_new_per_day: float
    first_seen: float
    last_seen: float
    blind_spots: tuple[str, ...]


@stored
@dataclass(slots=True)
class Node:
    """What is known of one node's sensor."""

    epoch: str = ""
    arch: str = "x86_64"
    last: float = float("-inf")  # seconds, until when it was observed
    blind_spots: tuple[str, ...] = ()


@stored
@dataclass(slots=True)
class State:
    """All that a pipeline knows."""

    attribution: Attribution
    timeline: Timeline
    wards: dict[str, Ward] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)  # finding → workload
    counters: dict[str, int] = field(default_factory=dict)
    now: float = float("-inf")  # latest tick
    day: int = -1
    wake: float = float("inf")  # the earliest of the wards'
    pins: Pins = field(default_factory=Pins)
    proposals: dict[str, Proposal] = field(default_factory=dict)  # of classes, by workload
    inventories: dict[str, Stock] = field(default_factory=dict)  # by workload
    turns: dict[str, Turns] = field(default_factory=dict)  # of agents, by workload


class Pipeline:
    """The classifier without its surroundings.

    >>> Pipeline(Policy()).feed(Tick("n1", 0.0))
    []
    """

    def __init__(self, policy: Policy, weights: Weights | None = None):
        """A classifier that knows nothing yet.

        Args:
            weights: Of the posterior; those of this release if None.
        """
        self.policy = policy
        self.weights = weights or shipped()
        attribution = Attribution(policy.park, policy.park_limit)
        self._state = State(attribution, Timeline(policy.max_deploys))

    def feed(self, record: Record) -> list[Finding]:
        """Take one record in.

        Returns:
            New findings and new versions of findings, in order. A finding whose counts alone have grown comes again
            under the same version at its later evaluations; store the last one by its id.
        """
        kind = type(record)
        self._count(NAMES[kind])
        found = HANDLERS[kind](self, record)
        for finding in found:
            self._state.where[finding.id] = finding.workload
        return found

    # what it knows --------------------------------------------------------------------------------------------------

    def findings(self) -> list[Finding]:
        """Latest versions with the counts of this moment, by time of opening."""
        every = [f for ward in self._state.wards.values() for f in ward.findings()]
        return sorted(every, key=lambda f: (f.opened, f.id))

    def workloads(self) -> list[WorkloadStatus]:
        """Every workload, by name."""
        old = {i.workload for i in self._state.attribution.identities.values() if not i.startup_observed}
        return [self._status(self._state.wards[w], w in old) for w in sorted(self._state.wards)]

    def envelope(self, workload: str) -> Envelope | None:
        """The envelope of a workload; None if it was never seen."""
        ward = self._state.wards.get(workload)
        return ward.envelope if ward is not None else None

    def beside(self, finding: str) -> list[dict[str, Any]]:
        """The replicas of a finding side by side; see `classifier.drift.beside`."""
        ward = self._state.wards.get(self._state.where.get(finding, ""))
        return beside(ward, finding) if ward is not None else []

    def deploys(self) -> list[Deploy]:
        """Deploy events, refused ones included, by time."""
        return self._state.timeline.all()

    def known(self) -> Known:
        """What classes and tracks are told from."""
        s = self._state
        return Known(
            self.policy, s.now, {n: w.envelope for n, w in s.wards.items()}, s.pins, s.proposals, s.inventories
        )

    def seen(self, cgroup: int) -> list[Identity]:
        """Whose a cgroup id is; empty where no sensor observes one."""
        return self._state.attribution.seen(cgroup)

    @property
    def counters(self) -> dict[str, int]:
        """Numbers for metrics: records by kind, what waits, what was dropped or refused, what was full."""
        s = self._state
        wards = s.wards.values()
        return {
            **dict(sorted(s.counters.items())),
            "parked": s.attribution.waiting,
            "parked_dropped": s.attribution.dropped,
            "deploys_dropped": s.timeline.dropped,
            "workloads": len(s.wards),
            "deviations_dropped": sum(w.overflow for w in wards),
            "envelope_full": sum(sum(w.envelope.overflow.values()) for w in wards),
        }

    def snapshot(self) -> bytes:
        """All state as bytes."""
        return freeze([FORMAT, self._state])

    @classmethod
    def restore(cls, policy: Policy, data: bytes) -> Pipeline:
        """The pipeline a snapshot was taken of, under a policy that may have changed.

        Raises:
            StateError: The bytes are damaged, or from another format; replay the journal instead.
        """
        found = thaw(data)
        if not (isinstance(found, list) and len(found) == 2 and found[0] == FORMAT and isinstance(found[1], State)):
            raise StateError(f"no snapshot of format {FORMAT}; replay the journal from its beginning")
        pipeline = cls(policy)
        pipeline._state = found[1]
        try:
            for ward in found[1].wards.values():
                ward.envelope.policy = policy
        except (AttributeError, TypeError) as e:
            raise StateError(f"damaged snapshot: {e}; replay the journal from its beginning") from e
        return pipeline

    # records --------------------------------------------------------------------------------------------------------

    def _head(self, head: Head) -> list[Finding]:
        node = self._state.nodes.setdefault(head.node, Node())
        if node.epoch and node.epoch != head.epoch and head.time > node.last:
            # Nobody said what happened between two starts of the kernel side; that is unknown, not quiet.
            self._blind(head.node, node.last, head.time, "sensor started anew")
        node.epoch, node.arch, node.last = head.epoch, head.arch, max(node.last, head.time)
        spots = [f"{p.name}: {m}" for p in head.probes if p.state != "on" for m in (p.misses or (p.state,))]
        node.blind_spots = tuple(spots)
        return []

    def _identity(self, identity: Identity) -> list[Finding]:
        nameless = self._state.attribution.given_up.get(identity.replica)
        known = self._state.attribution.learn(identity)
        if nameless is not None and identity.workload is not None and nameless in self._state.inventories:
            stock = self._state.inventories.setdefault(identity.workload, Stock())
            stock.adopt(self._state.inventories.pop(nameless))
        found = [f for record in known for f in self._owned(record)]
        ward = self._state.wards.get(identity.workload or "")
        if ward is not None and identity.ended is not None:
            ward.envelope.ended(identity.replica, identity.ended)
            self._stock(ward).end(identity.replica, identity.ended)
        return found

    def _owned(self, record: Window | Event) -> list[Finding]:
        """A window or an event, as soon as its owner is known."""
        owner = self._state.attribution.owner(record)
        if owner is None:
            return []
        ward = self._ward(owner.workload)
        if ward is None:
            return []
        node = self._state.nodes.get(record.replica.node) or self._state.nodes.setdefault(record.replica.node, Node())
        if node.blind_spots and not ward.envelope.blind_spots.issuperset(node.blind_spots):
            ward.envelope.blind_spots.update(node.blind_spots)
        stock = self._take_stock(ward, record)
        if isinstance(record, Window):
            node.last = max(node.last, record.end)
            record, silent = self._turned(owner.workload, record)
            turns, time = self._state.turns.get(owner.workload), record.end
            urgent = ward.observe(record, revision=owner.revision, epoch=node.epoch, arch=node.arch, turns=turns)
            for use in silent:
                ward.envelope.take(record, use, epoch=node.epoch)
        else:
            self._turn(owner.workload, record)
            if record.kind == "coverage" and record.data.get("rung") in UNREAD:
                ward.envelope.blind_spots.add(UNHEARD)
            time, urgent = record.time, ward.note(record, owner.revision, self._state.turns.get(owner.workload))
            if stock.feed.fresh:
                urgent |= ward.contradict(stock.feed.news(), record.time, owner.revision)
        found = ward.evaluate(time, self._state.timeline, self.weights) if urgent else []
        self._state.wake = min(self._state.wake, ward.wake)
        return found

    def _deploy(self, deploy: Deploy) -> list[Finding]:
        if not self._state.timeline.add(deploy):
            self._count("deploys_repeated")
            return []
        if deploy.refused:
            self._count("deploys_refused")
            ward = self._ward(deploy.workload)
            if ward is None:
                return []
            ward.forged(deploy)
            found = ward.evaluate(deploy.received, self._state.timeline, self.weights)
        else:
            mine = [w for name, w in self._state.wards.items() if concerns(deploy, name)]
            for ward in mine:
                ward.envelope.changed(deploy)
            found = [f for w in mine for f in w.reconsider(deploy.received, self._state.timeline, self.weights)]
        self._rest()
        return found

    def _gap(self, gap: Gap) -> list[Finding]:
        self._blind(gap.node, gap.start, gap.end, gap.reason)
        return []

    def _tick(self, tick: Tick) -> list[Finding]:
        s = self._state
        node = s.nodes.setdefault(tick.node, Node())
        node.last = max(node.last, tick.time)
        found = [f for record in s.attribution.expire(tick.node, tick.time) for f in self._owned(record)]
        s.now = max(s.now, tick.time)
        if s.wake <= s.now:
            due = [w for w in s.wards.values() if w.wake <= s.now]
            found += [f for w in due for f in w.evaluate(s.now, s.timeline, self.weights)]
            self._rest()
        self._daily()
        if s.wards:  # one at each tick: where nothing ends any more, nobody else packs what a sweep woke
            list(s.wards.values())[s.counters[NAMES[Tick]] % len(s.wards)].envelope.settle()
        return found

    def _triage(self, triage: Triage) -> list[Finding]:
        ward = self._state.wards.get(self._state.where.get(triage.finding, ""))
        finding = ward.decide(triage) if ward is not None else None
        if finding is None:
            self._count("triage_without_finding")
        self._rest()
        return [finding] if finding is not None else []

    def _pin(self, pin: Pin) -> list[Finding]:
        if not self._state.pins.take(pin):
            self._count("pins_without_effect")
        elif pin.what == SIGNED and (ward := self._state.wards.get(pin.workload)) is not None:
            self._count(
                "signed" if ward.envelope.sign(time=pin.time, actor=pin.actor, digest=pin.value) else "signed_late"
            )
        return []

    # helpers --------------------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Until when nothing is to be done."""
        self._state.wake = min((w.wake for w in self._state.wards.values()), default=float("inf"))

    def _blind(self, node: str, start: float, end: float, reason: str) -> None:
        for ward in self._state.wards.values():
            ward.envelope.blind(node, start, end, reason)
        for stock in self._state.inventories.values():
            stock.blind(node, start, end)

    def _daily(self) -> None:
        """Once a day: let envelopes without traffic age too, forget the identities of what is long gone."""
        s = self._state
        day = int(s.now // self.policy.day)
        if day <= s.day:
            return
        s.day = day
        s.attribution.forget(s.now - self.policy.deploy_after)
        for ward in s.wards.values():
            if ward.envelope.day < day and ward.envelope.windows:
                ward.envelope.sweep(day)
        survey({n: w.envelope for n, w in s.wards.items()}, s.proposals, s.now)

    def _ward(self, workload: str) -> Ward | None:
        ward = self._state.wards.get(workload)
        if ward is None:
            if len(self._state.wards) >= self.policy.max_workloads and not self._evict():
                self._count("workloads_full")
                return None
            ward = self._state.wards[workload] = Ward(workload, Envelope(Workload(workload), self.policy))
        return ward

    def _stock(self, ward: Ward) -> Stock:
        stock = self._state.inventories.get(ward.envelope.workload)
        if stock is None:
            stock = self._state.inventories[ward.envelope.workload] = Stock()
        return stock

    def _turn(self, workload: str, event: Event) -> None:
        """Model and tool calls are steps of a workflow, which the next window of their replica counts."""
        if event.kind == "llm" or (event.kind == "tool" and workload in self._state.turns):
            self._state.turns.setdefault(workload, Turns()).note(event)

    def _turned(self, workload: str, window: Window) -> tuple[Window, tuple[Use, ...]]:
        turns = self._state.turns.get(workload)
        return (window, ()) if turns is None else turns.joined(window)

    def _take_stock(self, ward: Ward, record: Window | Event) -> Stock:
        stock, identity = self._stock(ward), self._state.attribution.identities.get(record.replica)
        if isinstance(record, Window):
            stock.observe(record, identity, self.policy.day, self.policy.feed_silent)
        else:
            stock.note(record, identity, self.policy.day)
        return stock

    def _evict(self) -> bool:
        """Make room: the first unresolved workload without a finding goes."""
        wards = self._state.wards
        old = next((n for n, w in wards.items() if n.startswith(UNRESOLVED) and not w.causes), None)
        if old is not None:
            del wards[old]
            self._state.inventories.pop(old, None)
            self._state.turns.pop(old, None)
            self._count("unresolved_evicted")
        return old is not None

    def _status(self, ward: Ward, old: bool) -> WorkloadStatus:
        e = ward.envelope
        spots = e.blind_spots | ({"replicas that ran before the sensor: their start was not seen"} if old else set())
        stock = self._state.inventories.get(e.workload)
        spots |= set(unheard(stock)) if stock is not None else set()
        state, because = e.state(max(self._state.now, e.last))
        exposures = e.ledger.exposures.values()
        return WorkloadStatus(
            e.workload,
            state,
            because,
            e.replicas,
            tuple(e.ledger.revisions()),
            round(sum(x.seen(x.start, x.end) for x in exposures), 6),
            sum(e.knows(b) for b in e.items),
            e.coverage().expected,
            e.first,
            e.last,
            tuple(sorted(spots)),
        )

    def _count(self, what: str) -> None:
        self._state.counters[what] = self._state.counters.get(what, 0) + 1


HANDLERS = {
    Head: Pipeline._head,
    Identity: Pipeline._identity,
    Event: Pipeline._owned,
    Window: Pipeline._owned,
    Deploy: Pipeline._deploy,
    Gap: Pipeline._gap,
    Tick: Pipeline._tick,
    Triage: Pipeline._triage,
    Pin: Pipeline._pin,
}
NAMES = {kind: f"records_{kind.__name__.lower()}" for kind in HANDLERS}
