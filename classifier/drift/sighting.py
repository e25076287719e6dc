"""What was seen of one deviation, over all replicas: grows with every window, bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from classifier.drift.finding import Signal, Term
from classifier.envelope.lineage import plain_lineage
from classifier.envelope.state import stored
from wire.records import Replica

EVIDENCE = 16  # ids kept, the first ones
REPLICAS = 2048
LINEAGES = 4
TASKS = 16  # turns kept, the first ones
SLOW = ("creep", "drip")  # dated to days


@stored
@dataclass(slots=True)
class Sight:
    """One replica's part."""

    first: float
    last: float
    revision: str | None
    uses: int = 0  # counted in windows
    events: int = 0  # told by events; the same uses, so the larger of both is the count

    @property
    def count(self) -> int:
        return max(self.uses, self.events)


@stored
@dataclass(slots=True)
class Sighting:
    """One behaviour out of the envelope, and why it is out. Times in seconds."""

    behaviour: str
    why: str
    first: float
    last: float
    due: float  # when it is judged
    sights: dict[Replica, Sight] = field(default_factory=dict)
    overflow: int = 0  # replicas beyond `REPLICAS`
    bytes_out: int = 0
    bytes_in: int = 0
    peak_out: int = 0  # bytes of its largest window
    peak_in: int = 0
    evidence: list[str] = field(default_factory=list)
    lineages: list[str] = field(default_factory=list)
    layer: str = ""
    image: str = ""
    novel: int = 0  # sequences new to the envelope in its windows
    grams: int = 0  # sequences in its windows
    calls: dict[int, int] = field(default_factory=dict)  # of its first window
    partial: bool = False
    note: str = ""
    cause: str = ""  # id, once judged
    named: bool = False  # a believed event named it when its continuity was settled
    continuity: Signal | None = None  # settled at the first judgement: what came later may be the intruder's own
    continuity_terms: tuple[Term, ...] = ()
    near: float = 0.0  # how near its name lies to known ones, settled with continuity
    habit: bool = False  # the workload runs such files there every day, settled with continuity
    bounds: Signal | None = None  # settled for the peaks below
    bounded: tuple[int, int, str] = (-1, -1, "")  # peaks and note for which bounds were settled
    over: float = 0.0  # how many times its bound the worst window was; 0 where no bound broke
    broken: str = ""  # the bound that its first window broke, with its numbers
    owners: dict[str, int] = field(
        default_factory=dict
    )  # program → bytes of its largest window, the way that is out of bounds
    tasks: dict[str, None] = field(default_factory=dict)  # turns of an agent that were under way when it began

    def see(self, replica: Replica, revision: str | None, first: float, last: float, *, uses: int, events: int) -> None:
        """One more window or event of a replica."""
        sight = self.sights.get(replica)
        if sight is None:
            if len(self.sights) >= REPLICAS:
                self.overflow += 1
                return
            sight = self.sights[replica] = Sight(first, last, revision)
        sight.first, sight.last = min(sight.first, first), max(sight.last, last)
        sight.uses, sight.events = sight.uses + uses, sight.events + events
        sight.revision = sight.revision or revision
        self.first, self.last = min(self.first, first), max(self.last, last)

    def explain(self, evidence: Iterable[str], data: Mapping[str, str | int | float]) -> None:
        """Keep the records that show it, and who did it."""
        for e in evidence:
            if e not in self.evidence and len(self.evidence) < EVIDENCE:
                self.evidence.append(e)
        trail = plain_lineage(str(data.get("lineage", "")))
        if trail and trail not in self.lineages and len(self.lineages) < LINEAGES:
            self.lineages.append(trail)
        self.layer = self.layer or str(data.get("layer", ""))
        self.image = self.image or str(data.get("image", ""))

    def measure(self, out: int, into: int) -> None:
        """Bytes of one window."""
        self.bytes_out, self.bytes_in = self.bytes_out + out, self.bytes_in + into
        self.peak_out, self.peak_in = max(self.peak_out, out), max(self.peak_in, into)

    def own(self, program: str, size: int) -> None:
        """Whose window that was."""
        if program in self.owners or len(self.owners) < LINEAGES:
            self.owners[program] = max(size, self.owners.get(program, 0))

    def during(self, tasks: Iterable[str]) -> None:
        """Turns of its replica that were under way. Those of its beginning: later ones would tie it to all that is new then."""
        if not self.tasks:
            self.tasks = dict.fromkeys(islice(tasks, TASKS))

    @property
    def count(self) -> int:
        return sum(s.count for s in self.sights.values())

    @property
    def lineage(self) -> str:
        return self.lineages[0] if self.lineages else ""

    @property
    def revisions(self) -> tuple[str, ...]:
        return tuple(sorted({s.revision for s in self.sights.values() if s.revision is not None}))
