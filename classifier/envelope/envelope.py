"""Windows of all replicas of a workload to what is normal for it.

An envelope counts per replica and revision (`cells`), says what follows per behaviour (`items`), keeps the exposure
ledger, and names its own state. It never labels: what it does not know it hands back as strangers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from classifier.drift.severity import GUARDED, sensitive_calls
from classifier.envelope import convergence, creep, daily, incidence, items, quarantine, reference, series, volume
from classifier.envelope.cells import Lane, LaneKey, count_known, latest, smallest
from classifier.envelope.creep import Flow
from classifier.envelope.dimensions import DIMENSIONS, TOTAL, touched
from classifier.envelope.items import ADMITTED, DORMANT, RETIRED, Item
from classifier.envelope.ledger import Ledger
from classifier.envelope.names import Names
from classifier.envelope.profiles import Profiles
from classifier.envelope.quantities import IN_WAY, OUT_WAY, Quantities
from classifier.envelope.reference import Reference
from classifier.envelope.rested import rest, wake
from classifier.envelope.road import Road
from classifier.envelope.sequences import Sequences
from classifier.envelope.shared import Shared
from classifier.envelope.state import stored
from classifier.envelope.strangers import NEW, Stranger
from classifier.policy import Policy
from wire.records import Deploy, Replica, Use, Window, Workload

OTHERS = 4  # replicas that ended before and are packed again at a time


@stored
@dataclass(slots=True)
class Envelope:
    """What is normal for one workload. `learn` changes it, `merge` makes a new one."""

    workload: Workload
    policy: Policy
    lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    ledger: Ledger = None  # type: ignore[assignment]  # made with the policy's bound
    grams: Sequences = field(default_factory=Sequences)
    profiles: Profiles = None  # type: ignore[assignment]
    sticky: dict[str, str] = field(default_factory=dict)  # behaviour → finding that refused it, for ever
    days: frozenset[int] = frozenset()  # active days without loss
    lost: dict[str, int] = field(default_factory=dict)
    lost_last: float = float("-inf")  # end of the last window or span with loss
    windows: int = 0
    first: float = 0.0
    last: float = 0.0
    week: int = 0  # bit per hour of the week with a window
    day: int = -1  # of the last sweep
    stage: str = "missing"
    folded: set[LaneKey] = field(default_factory=set)
    overflow: dict[str, int] = field(default_factory=dict)  # what was full → how often
    blind_spots: set[str] = field(default_factory=set)
    calls: dict[int, tuple[int, ...]] = field(default_factory=dict)  # system call → its first sessions
    quantities: Quantities = None  # type: ignore[assignment]
    flows: dict[str, Flow] = field(default_factory=dict)  # direction and peer → bytes a day
    strange: dict[str, tuple[int, ...]] = field(default_factory=dict)  # what was handed back as new → first sessions
    alarms: dict[Replica, quarantine.Alarm] = field(default_factory=dict)  # replicas whose news are not trusted
    touched: dict[str, tuple[int, str]] = field(default_factory=dict)  # dimension → day and words of the last change
    signed: Reference | None = None  # what a person has signed
    crept: list[creep.Drip] = field(default_factory=list)  # until somebody takes them
    lone: list[quarantine.Lone] = field(default_factory=list)  # the same
    # Follows from the items, so no snapshot holds it.
    _names: Names | None = field(default=None, init=False, repr=False, compare=False)
    shared: Shared = field(default_factory=Shared, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ledger is None:
            self.ledger = Ledger(self.policy.max_exposures)
        if self.profiles is None:
            self.profiles = Profiles(self.policy.max_profiles)
        if self.quantities is None:
            self.quantities = Quantities(self.policy.max_quantities)
        if isinstance(self.grams, set):  # of an older snapshot
            known, self.grams = self.grams, Sequences()
            self.grams.update(known)
        daily.wake(self)

    # learning -----------------------------------------------------------------------------------------------------

    def learn(
        self, window: Window, *, revision: str | None = None, epoch: str = "", accept: int = 3, arch: str = "x86_64"
    ) -> list[Stranger]:
        """Take a window in.

        Args:
            revision: Of the replica, None where unknown.
            epoch: The sensor start that saw it.
            accept: Highest severity at which an unknown behaviour is learned all the same; what is above comes back.

        Returns:
            What was not taken in, in the window's order.
        """
        lane = self.lanes.get((window.replica, epoch)) or self._lane(window.replica, epoch, revision)
        hour = int(window.start // self.policy.hour)
        self._note(window, lane, revision)
        if lane.hot is None or lane.hour != hour:
            wake(lane)
            lane.warm(hour, int(window.start // self.policy.day))
            self.week |= 1 << (hour % 168)
        hot = lane.hot
        strange = count_known(window, hot)
        if not window.syscalls.keys() <= lane.today:
            strange += self._calls(lane, window, arch)
        if not strange:
            self._continuity(window, [])
            return []
        quarantine.notice(self, window, strange)
        road = Road(self, lane, window, accept=accept)
        strangers = [s for use in strange if (s := road.look(use)) is not None]
        if strangers:
            self._unknown(lane, window, strangers)
        self._continuity(window, strangers)
        return strangers

    def _unknown(self, lane: Lane, window: Window, strangers: list[Stranger]) -> None:
        """What is new was seen, learned or not: an envelope that hands back something new every day has not converged."""
        session = int(window.start // self.policy.day) * incidence.TAG + incidence.tag(lane)
        for s in strangers:
            known = s.use.behaviour in self.strange or len(self.strange) < self.policy.max_behaviours
            if s.why == NEW and known:
                incidence.remember(self.strange, s.use.behaviour, session)

    def _lane(self, replica: Replica, epoch: str, revision: str | None) -> Lane:
        if len(self.lanes) >= self.policy.max_lanes:
            daily.fold(self)
        self.folded.discard((replica, epoch))  # silent for long, but back
        lane = self.lanes[replica, epoch] = Lane(replica, epoch, revision)
        return lane

    def _note(self, window: Window, lane: Lane, revision: str | None) -> None:
        """Count the window itself: exposure, activity, loss, the day."""
        lossy = window.partial
        self.ledger.extend(window.replica, revision, window.start, window.end, lossy=lossy)
        if lane.revision is None:
            lane.revision = revision
        lane.last = max(lane.last, window.end)
        self.windows += 1
        self.first = min(self.first, window.start) if self.windows > 1 else window.start
        self.last = max(self.last, window.end)
        if lossy:
            self._lose(window.loss.items(), window.end)
        day = int(window.start // self.policy.day)
        if day > self.day:
            self.sweep(day)
        if day not in self.days and window.uses and not lossy:
            self.days = latest(self.days | {day})

    def _lose(self, losses: Iterable[tuple[str, int]], time: float) -> None:
        for what, n in losses:
            self.lost[what] = self.lost.get(what, 0) + n
        self.lost_last = max(self.lost_last, time)

    def ended(self, replica: Replica, time: float) -> None:
        """A replica's cgroup went at `time` (seconds): it stays in all sums, in less room."""
        self.ledger.close(replica, time)
        for lane in self.lanes.values():
            if lane.replica == replica:
                rest(lane, self.shared)
        self.settle()

    def settle(self) -> None:
        """Some of what a sweep woke goes back to less room."""
        daily.lay_to_rest(self, OTHERS)

    def blind(self, node: str, start: float, end: float, reason: str) -> None:
        """A node was not observed; what its replicas of ours did then is unknown."""
        if self.ledger.blind(node, start, end):
            self._lose([(f"gap: {reason}", 1)], end)

    def item(self, behaviour: str, item: Item) -> Item:
        """A behaviour gets an item; one that was retired begins anew."""
        before = self.items.get(behaviour)
        self.items[self.shared.same(behaviour)] = item
        item.guarded = behaviour.startswith(GUARDED)
        if before is not None:
            item.sent, item.got = before.sent, before.got
        if self._names is not None and before is None:
            self._names.add(behaviour)
        elif self._names is not None:
            self._names.owned(behaviour, before.lineages, ())
        return item

    def own(self, behaviour: str, item: Item, lineages: Collection[str]) -> None:
        """These do it too."""
        if item.lineages.issuperset(lineages):
            return
        before, item.lineages = item.lineages, self.shared.one(smallest(item.lineages.union(lineages)))
        if self._names is not None:
            self._names.owned(behaviour, before, item.lineages)

    def take(self, window: Window, use: Use, *, epoch: str = "") -> None:
        """Learn a use that came back as a stranger after all."""
        lane = self.lanes[window.replica, epoch]
        wake(lane)
        Road(self, lane, window, accept=3).look(use)

    def alarm(self, replica: Replica, until: float, why: str) -> None:
        """What this replica shows for the first time until then (seconds) is held back."""
        quarantine.alarm(self, replica, until, why)

    def changed(self, deploy: Deploy) -> None:
        """A believed change begins: the dimensions that its kind touches converge anew."""
        revision = f" of revision {deploy.revision}" if deploy.revision else ""
        for part in touched(deploy.kind):
            self.touched[part] = int(deploy.time // self.policy.day), f"event {deploy.id} ({deploy.kind}){revision}"

    def sign(self, *, time: float, actor: str, digest: str) -> bool:
        """A person signs what is admitted; False if the digest is of another state than the one now."""
        return reference.sign(self, time=time, actor=actor, digest=digest)

    def full(self, what: str) -> None:
        """There was no room."""
        self.overflow[what] = self.overflow.get(what, 0) + 1

    def _calls(self, lane: Lane, window: Window, arch: str) -> list[Use]:
        """System calls new to a replica: sensitive ones become uses, the others are remembered."""
        sensitive = sensitive_calls(arch)
        found = []
        session = int(window.start // self.policy.day) * incidence.TAG + incidence.tag(lane)
        made = window.syscalls.keys() - lane.today
        for number in sorted(made & sensitive.keys()):
            found.append(Use(f"syscall:{sensitive[number]}", window.syscalls[number]))  # type: ignore[arg-type]
        if fresh := made - sensitive.keys():
            for number in sorted(fresh):
                incidence.remember(self.calls, number, session)
            lane.today = self.shared.one(lane.today | fresh)
            if not fresh <= lane.calls:
                lane.calls = self.shared.one(lane.calls | fresh)
        return found

    def _continuity(self, window: Window, strangers: list[Stranger]) -> None:
        """Learn sequences and call profile, unless the window holds what the envelope does not know."""
        if strangers:
            return
        if window.grams:
            room = self.policy.max_grams - len(self.grams)
            if room < len(window.grams):
                self.full("sequences")
            self.grams.update(window.grams[: max(0, room)])
        if window.syscalls:
            self.profiles.add(window.syscalls)

    def sweep(self, day: int) -> list[creep.Drip]:
        """Once a day (number since the epoch): age and promote every item, set bounds anew, name the stage.

        Returns:
            Peers whose daily bytes crept up; they also wait for `take_crept`.
        """
        crept = daily.sweep(self, day)
        self.crept = (self.crept + crept)[-creep.PEERS :]
        return crept

    def take_lone(self) -> list[quarantine.Lone]:
        """What one replica alone goes on doing, since this was last asked."""
        found, self.lone = self.lone, []
        return found

    def take_crept(self) -> list[creep.Drip]:
        """What crept up since this was last asked."""
        crept, self.crept = self.crept, []
        return crept

    # what it says ---------------------------------------------------------------------------------------------------

    @property
    def replicas(self) -> int:
        """Replicas that the ledger knows of."""
        return len(self.ledger.exposures)

    @property
    def names(self) -> Names:
        """Who acts here, and what is near by name."""
        if self._names is None:
            self._names = Names()
            for behaviour, item in self.items.items():
                self._names.add(behaviour)
                self._names.owned(behaviour, (), item.lineages)
        return self._names

    def knows(self, behaviour: str) -> bool:
        """Whether a behaviour is part of what was learned, admitted or not."""
        item = self.items.get(behaviour)
        return item is not None and item.state != RETIRED

    def admit(self, behaviour: str, because: str, first: float = 0.0) -> None:
        """A person or an authenticated event says that this is normal.

        Args:
            first: When it was first seen (seconds), where the envelope does not know it yet.
        """
        self.sticky.pop(behaviour, None)
        item = self.items.get(behaviour)
        if item is None or item.state == RETIRED:
            item = self.item(behaviour, Item(first=first))
        item.move("accepted", because)
        item.days = item.days or frozenset({self.day})
        item.suspect = False

    def tolerate(self, behaviour: str, because: str, first: float = 0.0) -> None:
        """It was judged to be what the workload does now and then: kept in view, provisional, and counted from now on."""
        item = self.items.get(behaviour)
        if item is None or item.state == RETIRED:
            item = self.item(behaviour, Item(because=because, first=first))
        elif item.state == DORMANT:
            item.move("seen", because)
        item.days = item.days or frozenset({self.day})

    def widen(self, behaviour: str, out: int, into: int, lineages: Collection[str], time: float) -> None:
        """More of a known behaviour is normal: windows of so many bytes, these owners, this hour of the week."""
        item = self.items.get(behaviour)
        if item is None:
            return
        item.limit_out = max(item.limit_out, int(out * self.policy.volume_margin))
        item.limit_in = max(item.limit_in, int(into * self.policy.volume_margin))
        self.own(behaviour, item, lineages)
        item.week |= 1 << (int(time // self.policy.hour) % 168)
        self.quantities.widen(OUT_WAY, behaviour, lineages, out)
        self.quantities.widen(IN_WAY, behaviour, lineages, into)

    def coverage(self) -> convergence.Coverage:
        """Good-Turing and Chao2 counts over sessions: one replica on one day."""
        return self.coverages()[TOTAL]

    def coverages(self) -> dict[str, convergence.Coverage]:
        """The same for the whole and for each dimension."""
        return series.coverages(self)

    def state(self, now: float) -> tuple[str, str]:
        """The named state at a time (seconds), and why, with numbers."""
        name, because = self._state(self.coverage(), now)
        full = f"; full: {convergence.words(self.overflow.items())}" if self.overflow else ""
        return name, because + full

    def _state(self, coverage: convergence.Coverage, now: float) -> tuple[str, str]:
        return convergence.state(
            coverage,
            self.policy,
            windows=self.windows,
            idle=now - self.last,
            loss=self._loss(now),
            age=now - self.first,
        )

    def _loss(self, now: float) -> str:
        """What was lost within the memory for losses; nobody can say of which dimension it was."""
        if now - self.lost_last > self.policy.partial_memory:
            return ""
        days = self.policy.partial_memory / self.policy.day
        return f"lost within the last {days:g} days: {convergence.words(self.lost.items())}"

    def states(self, now: float) -> dict[str, tuple[str, str]]:
        """State and reason of each dimension; one that a change has touched converges anew, the others stay."""
        coverages = self.coverages()
        return {d: self._part_state(d, coverages[d], now) for d in DIMENSIONS if coverages[d].seen}

    def _part_state(self, part: str, coverage: convergence.Coverage, now: float) -> tuple[str, str]:
        name, because = self._state(coverage, now)
        day, words = self.touched.get(part, (-1, ""))
        since = sum(d > day for d in self.days)
        if words and name in ("converged", "non-converging") and since < self.policy.learn_days:
            return "converging", f"{words}: {since} of {self.policy.learn_days} active days since; before it {name}"
        return name, because

    def merge(self, other: Envelope) -> Envelope:
        """What both know; neither changes. In any order and as often as you like, the result is the same."""
        from classifier.envelope.merge import merged

        return merged(self, other)

    def to_dict(self) -> dict[str, Any]:
        """For ``envelope show --json``: sorted, plain values."""
        from classifier.envelope.view import shown

        return shown(self)

    def diff(self, other: Envelope) -> dict[str, list[str]]:
        """Behaviours that the other one has and this has not (`added`), the reverse, and those whose state differs."""
        mine = {b: i.state for b, i in self.items.items() if i.state != RETIRED}
        theirs = {b: i.state for b, i in other.items.items() if i.state != RETIRED}
        return {
            "added": sorted(theirs.keys() - mine.keys()),
            "removed": sorted(mine.keys() - theirs.keys()),
            "changed": sorted(b for b in mine.keys() & theirs.keys() if mine[b] != theirs[b]),
        }

    def measured(self, windows: int, prefix: str = "egress:") -> bool:
        """Whether at least so many windows had bytes of a kind of behaviour, those in and those out counted apart."""
        return any(n >= windows for n in accumulate(volume.count(h) for some in self._by_kind(prefix) for h in some))

    def volumes(self, prefix: str = "egress:") -> tuple[volume.Histogram, volume.Histogram]:
        """Bytes out and in per window, over all behaviours of a kind."""
        every = list(self._by_kind(prefix))
        return volume.pooled(out for out, _ in every), volume.pooled(into for _, into in every)

    def _by_kind(self, prefix: str) -> Iterator[tuple[volume.Histogram, volume.Histogram]]:
        return (self.volume_of(b) for b in self.items if b.startswith(prefix))

    def volume_of(self, behaviour: str) -> tuple[volume.Histogram, volume.Histogram]:
        """Bytes out and in per window of one behaviour."""
        cells = [c for lane in self.lanes.values() if (c := lane.cells.get(behaviour)) is not None]
        return items.pooled(self.items.get(behaviour), cells)

    @property
    def admitted(self) -> list[str]:
        """Names of the admitted behaviours, sorted."""
        return sorted(b for b, i in self.items.items() if i.state == ADMITTED)
