"""What is collected of one replica between two windows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sensor.observe.dns import NameBook
from wire.records import Behaviour, Replica, Use

EVIDENCE = 8  # ids of events that a use names
SEEN = 8192  # behaviours whose first event is remembered
DETAIL = 64  # events of one kind that a replica may send in one window; the rest is counted


@dataclass(slots=True)
class Tally:
    """A behaviour within one window."""

    count: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    first: float = 0.0
    evidence: list[str] = field(default_factory=list)
    data: dict[str, str | int | float] = field(default_factory=dict)

    def note(self, event: str) -> None:
        """The id of an event that shows it; "" if none was sent."""
        if event and len(self.evidence) < EVIDENCE and event not in self.evidence:
            self.evidence.append(event)

    def use(self, behaviour: Behaviour) -> Use:
        return Use(behaviour, self.count, self.bytes_out, self.bytes_in, self.first, tuple(self.evidence), self.data)


@dataclass(slots=True)
class Observed:
    """One replica: who it is, and what it did since its last window."""

    replica: Replica
    slot: int
    generation: int  # of the slot
    path: str
    since: float  # seconds; end of its last window, or when it was first seen
    book: NameBook = field(default_factory=NameBook)
    tallies: dict[tuple[Behaviour, str], Tally] = field(default_factory=dict)  # by behaviour and owner
    grams: list[int] = field(default_factory=list)
    loss: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seen: set[Behaviour] = field(default_factory=set)
    shown: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # kind of event → sent in this window

    def is_new(self, behaviour: Behaviour) -> bool:
        """Whether this replica shows a behaviour for the first time; past `SEEN` of them everything is new."""
        new = behaviour not in self.seen
        if new and len(self.seen) < SEEN:
            self.seen.add(behaviour)
        return new

    def tally(self, behaviour: Behaviour, time: float, owner: str = "") -> Tally:
        """What a window says of a behaviour; of one that has bytes, by its owner, lest an export's be taken for the worker's.

        Args:
            owner: Lineage of who did it.
        """
        found = self.tallies.get((behaviour, owner))
        if found is None:
            found = self.tallies[behaviour, owner] = Tally(first=time)
        return found

    def may_show(self, kind: str) -> bool:
        """Whether another event of a kind may be sent; those beyond the budget are counted in the window only."""
        self.shown[kind] += 1
        return self.shown[kind] <= DETAIL

    def drain(self) -> tuple[tuple[Use, ...], tuple[int, ...], dict[str, int]]:
        """Uses, new trigrams and losses since the last time, in the order of their names."""
        uses = tuple(t.use(b) for (b, _), t in sorted(self.tallies.items()))
        grams, loss = tuple(sorted(set(self.grams))), {k: v for k, v in sorted(self.loss.items()) if v}
        self.tallies, self.grams = {}, []
        self.loss.clear()
        self.shown.clear()
        return uses, grams, loss
