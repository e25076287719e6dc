"""The life of one replica as an inventory needs it: since when it was watched, and which process holds what."""

from __future__ import annotations

from dataclasses import dataclass, field

from classifier.envelope.ledger import Span, united
from classifier.envelope.state import stored
from wire.records import Replica

PIDS = 128  # processes of one replica that hold something
FORKS = 64  # a sensor tells no more of one window; then an exit proves nothing any more
SILENT = 600.0  # seconds without a window after which nobody knows whether a replica still runs
Keys = frozenset[str] | set[str]  # of items; never changed in place, for parent and child share them


@stored
@dataclass(slots=True)
class Life:
    """One replica. Times in seconds."""

    replica: Replica
    revision: str | None
    start: float
    last: float
    observed: bool  # its start was seen
    end: float | None = None
    gaps: tuple[Span, ...] = ()
    length: float = 0.0  # of its last window
    forks: int = 0  # told since the last window
    loose: bool = False  # forks were not told, so what a process held may be held by a child that nobody saw
    pids: dict[int, Keys] = field(default_factory=dict)

    def fork(self, parent: int, child: int) -> None:
        """A child has what its parent has."""
        self.forks += 1
        self.loose = self.loose or self.forks >= FORKS
        if held := self.pids.get(parent):
            self._hold(child, held)

    def hold(self, pid: int, key: str) -> None:
        """A process holds an item from now on."""
        held = self.pids.get(pid, frozenset())
        if key not in held:
            self._hold(pid, held | {key})

    def leave(self, pid: int, but: Keys = frozenset()) -> list[str]:
        """A process ended, or became another program; the items that nobody holds now, sorted.

        Args:
            but: Items that it keeps.
        """
        held = self.pids.pop(pid, frozenset())
        if kept := held & but:
            self.pids[pid] = kept
        if self.loose or any(held <= other for other in self.pids.values()):  # a child like its parent: the common case
            return []
        return sorted(k for k in held - but if not any(k in other for other in self.pids.values()))

    def blind(self, start: float, end: float) -> None:
        """Nobody looked in this span, or something of it was lost."""
        self.gaps = united((*self.gaps, (start, end)))

    def heard(self, start: float, end: float) -> None:
        """A window of this replica came."""
        self.last, self.length, self.forks = max(self.last, end), max(end - start, 0.0), 0

    def close(self, time: float) -> None:
        """Its cgroup went."""
        self.end, self.last = time, max(self.last, time)
        self.pids = {}

    def _hold(self, pid: int, held: Keys) -> None:
        if pid in self.pids or len(self.pids) < PIDS:
            self.pids[pid] = held
        else:
            self.loose = True
