"""One item of an inventory: what is known of it, and in which spans each replica had it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classifier.envelope.ledger import Span, united
from classifier.envelope.state import stored
from classifier.inventory.kinds import STRENGTH, UNKNOWN, USE
from classifier.inventory.sighting import Sighting, cut
from wire.records import Replica

EVIDENCE = 8  # ids of events of an item
OWN = 4  # of one replica's holding of it
MORE = 24  # values beside the fixed ones


@stored
@dataclass(slots=True)
class Holding:
    """How long one replica had an item. Times in seconds."""

    start: float
    last: float  # when it was last seen in use
    until: float | None = None  # None: it has it still
    past: tuple[Span, ...] = ()  # before `start`
    evidence: tuple[str, ...] = ()
    image: str = ""  # of the process that brought it in
    lineage: str = ""

    def spans(self) -> tuple[tuple[float, float | None], ...]:
        """Every span, oldest first; an open one ends with None."""
        return (*self.past, (self.start, self.until))

    def resume(self, time: float) -> None:
        """The replica has it again from `time` on."""
        if self.until is None:
            return
        self.past = united((*self.past, (self.start, max(self.start, self.until))))
        self.start, self.until = max(time, self.until), None


@stored
@dataclass(slots=True)
class StockItem:
    """What is known of one item."""

    kind: str
    name: str
    version: str
    basis: str
    version_basis: str
    place: str
    lasts: str
    first: float
    last: float
    more: dict[str, str] = field(default_factory=dict)
    count: int = 0  # uses
    bytes_out: int = 0
    bytes_in: int = 0
    evidence: tuple[str, ...] = ()
    held: dict[Replica, Holding] = field(default_factory=dict)
    past: tuple[Span, ...] = ()  # of replicas that are no longer kept one by one

    def learn(self, sighting: Sighting, time: float, end: float, evidence: tuple[str, ...]) -> None:
        """Another look between `time` and `end`; the better basis stays."""
        self.first, self.last = min(self.first, time), max(self.last, end)
        if STRENGTH[sighting.basis] > STRENGTH[self.basis]:
            self.basis = sighting.basis
        if self.version_basis == UNKNOWN:
            self.version_basis = sighting.version_basis
        self.evidence = added(self.evidence, evidence, EVIDENCE)
        for name, value in sighting.more.items():
            self.say(name, value)

    def say(self, name: str, value: str) -> None:
        """A value of its own; bounded in number and length."""
        if value and (name in self.more or len(self.more) < MORE):
            self.more[cut(name)] = cut(value)

    def take(self, other: StockItem) -> None:
        """The same item as another stock knows it, of other replicas."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.basis = max(self.basis, other.basis, key=lambda basis: STRENGTH[basis])
        self.evidence = added(self.evidence, other.evidence, EVIDENCE)
        self.count += other.count
        self.bytes_out += other.bytes_out
        self.bytes_in += other.bytes_in
        self.past = united((*self.past, *other.past))
        for replica, holding in other.held.items():
            self.held.setdefault(replica, holding)

    def begin(self, replica: Replica, time: float, end: float, linger: float) -> Holding:
        """The replica has the item from `time` on, or still."""
        holding = self.held.get(replica)
        if holding is None:
            holding = self.held[replica] = Holding(time, end)
        elif self.lasts == USE and holding.until is None and time > holding.last + linger:
            holding.until = holding.last + linger
            holding.resume(time)
        holding.start, holding.last = _earlier(holding, time), max(holding.last, end)
        return holding

    def close(self, replica: Replica, time: float) -> None:
        """The replica has it no longer."""
        holding = self.held.get(replica)
        if holding is not None and holding.until is None:
            holding.until = max(time, holding.start)

    def fold(self, replica: Replica, end: float) -> None:
        """Keep of a replica only that somebody had the item then."""
        holding = self.held.pop(replica, None)
        if holding is not None:
            self.past = united((*self.past, *((s, max(s, end if e is None else e)) for s, e in holding.spans())))

    @property
    def gone(self) -> float:
        """When the last replica had it, as far as that is known."""
        return max(
            [self.last, *(h.until for h in self.held.values() if h.until is not None), *(e for _, e in self.past)]
        )

    @property
    def open(self) -> bool:
        """Whether any replica has it still."""
        return any(h.until is None for h in self.held.values())


def _earlier(holding: Holding, time: float) -> float:
    """Records of one window come after its events; an earlier first sight moves the first start back."""
    return min(holding.start, time) if not holding.past else holding.start


def who(holding: Holding, data: Mapping[str, str | int | float], evidence: tuple[str, ...]) -> None:
    """Note which process brought an item in; the first that is known stays."""
    holding.evidence = added(holding.evidence, evidence, OWN)
    holding.image = holding.image or cut(str(data.get("image") or ""))
    holding.lineage = holding.lineage or cut(str(data.get("lineage") or ""))


def added(before: tuple[str, ...], more: tuple[str, ...], most: int) -> tuple[str, ...]:
    """The first `most` different ids.

    >>> added(("a",), ("a", "b", "c"), 2)
    ('a', 'b')
    """
    if len(before) >= most or not more:
        return before
    return tuple(dict.fromkeys((*before, *more)))[:most]
