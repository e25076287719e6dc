"""The most a workload makes of each system call in one window, pooled over its replicas, and what exceeds it.

"Over the maximum times a margin, or a call never made" is the best cheap detector known on container attacks
(drift-model 2.3, docs/lab-data.md): 0.89 of CDL-SHIL's exploits at 0.13 % of the windows. Alone it is still an alarm or
more a day and replica, so it is evidence and never a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classifier.envelope.state import stored

CAP = 1024  # numbers kept; a system-call table has some 460
FEWEST = 30  # windows before anything is said
MARGIN = 1.5  # of the largest learned window
NEVER = 0.25  # calls that a call never made counts as, so that one of it exceeds any margin below 4


@dataclass(frozen=True, slots=True)
class Excess:
    """A system call made more often in a window than ever while learning."""

    number: int
    calls: int
    most: int  # in any learned window; 0: never made
    ratio: float


@stored
@dataclass(slots=True)
class Counters:
    """Largest count of each call in one window. Fit for `merge` in any order, as often as one likes.

    >>> c = Counters()
    >>> for n in range(40):
    ...     c.learn({0: 100 + n})
    >>> [(e.number, e.ratio) for e in c.exceeded({0: 150, 59: 1})]
    [(59, 4.0)]
    """

    interval: float = 10.0  # seconds of a window; a longer one counts as the average of as many as it holds
    most: dict[int, int] = field(default_factory=dict)
    windows: int = 0

    def learn(self, calls: Mapping[int, int], seconds: float | None = None) -> None:
        """Take one window in; `seconds` is its length, by default the interval."""
        self.windows += 1
        parts = self._parts(seconds)
        for number, n in calls.items():
            n = -int(-n // parts)
            if n > self.most.get(number, 0) and (number in self.most or len(self.most) < CAP):
                self.most[number] = n

    def score(self, calls: Mapping[int, int], seconds: float | None = None) -> float | None:
        """The largest ratio of a call to its maximum; None with fewer than `FEWEST` windows known."""
        if self.windows < FEWEST:
            return None
        parts, most = self._parts(seconds), self.most
        return round(max((n / parts / most.get(k, NEVER) for k, n in calls.items()), default=0.0), 6)

    def exceeded(
        self, calls: Mapping[int, int], seconds: float | None = None, *, margin: float = MARGIN
    ) -> tuple[Excess, ...]:
        """Calls beyond `margin` times their maximum, worst first, with those never made; empty while too little is known."""
        if self.windows < FEWEST:
            return ()
        parts, most = self._parts(seconds), self.most
        over = [
            (n / parts / most.get(k, NEVER), k) for k, n in calls.items() if n > margin * parts * most.get(k, NEVER)
        ]
        worst = sorted(over, key=lambda o: (-o[0], o[1]))
        return tuple(Excess(k, calls[k], most.get(k, 0), round(ratio, 6)) for ratio, k in worst)

    def expected(self) -> float:
        """Share of ordinary windows that will exceed a maximum by chance, at most: one in n + 1 for each call."""
        return min(1.0, len(self.most) / (self.windows + 1))

    def merge(self, other: Counters) -> Counters:
        """What both know. Windows are those of the one with more: two copies of one envelope must not count twice."""
        numbers = sorted(self.most.keys() | other.most.keys())[:CAP]
        most = {k: max(self.most.get(k, 0), other.most.get(k, 0)) for k in numbers}
        return Counters(max(self.interval, other.interval), most, max(self.windows, other.windows))

    def _parts(self, seconds: float | None) -> float:
        """Windows that one of this length stands for; a short one is not stretched."""
        return 1.0 if seconds is None else max(1.0, seconds / self.interval)
