"""Call frequencies of windows: a bounded, evenly spread sample, and how unusual a new window is among it.

The distance is Hellinger's (Euclid on square roots of frequencies), the judgement self-calibrated: the share of learned
windows that lie at least as far from their nearest neighbour as the new one does (drift-model 2.4: of all continuity
evidence the one that survives a benign deploy, AUC 0.82 to 0.90).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classifier.envelope.state import stored

Profile = dict[int, int]  # system call number → calls
FEWEST = 20  # profiles before anything is said


@stored
@dataclass(slots=True)
class Profiles:
    """Every `stride`-th window; at the limit every other one goes and the stride doubles."""

    limit: int
    kept: list[Profile] = field(default_factory=list)
    stride: int = 1
    seen: int = 0

    def add(self, calls: Mapping[int, int]) -> None:
        """Take one window's calls in."""
        if self.seen % self.stride == 0:
            self.kept.append(dict(calls))
        self.seen += 1
        if len(self.kept) > self.limit:
            del self.kept[1::2]
            self.stride *= 2

    def p_value(self, calls: Mapping[int, int]) -> float | None:
        """Share of learned windows as unusual as this one; None without calls or with fewer than `FEWEST` known."""
        if len(self.kept) < FEWEST or not calls:
            return None
        own, new = _distances(self.kept, dict(calls))
        return round((1 + sum(d >= new for d in own)) / (len(own) + 1), 6)

    def merge(self, other: Profiles) -> Profiles:
        """A sample of both, the same in whichever order they are merged: the union, evenly thinned by content."""
        union = {tuple(sorted(p.items())): p for p in (*self.kept, *other.kept)}
        kept = [dict(k) for k in sorted(union)]
        while len(kept) > max(self.limit, other.limit):
            del kept[1::2]
        stride = max(self.stride, other.stride)
        return Profiles(max(self.limit, other.limit), kept, stride, max(self.seen, other.seen))


def _distances(kept: list[Profile], new: Profile) -> tuple[list[float], float]:
    """Distance of every kept profile to its nearest other one, and of the new one to its nearest."""
    import numpy as np  # here: most streams never ask
    from sklearn.neighbors import NearestNeighbors

    column = {n: i for i, n in enumerate(sorted({n for p in (*kept, new) for n in p}))}
    table = np.zeros((len(kept) + 1, len(column)))
    for row, profile in enumerate((*kept, new)):
        total = sum(profile.values()) or 1
        for number, calls in profile.items():
            table[row, column[number]] = (calls / total) ** 0.5
    near = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(table[:-1])
    own, _ = near.kneighbors(table[:-1])
    mine, _ = near.kneighbors(table[-1:], n_neighbors=1)
    # Six digits: the last bits of a matrix product differ between machines, and ranks must not.
    return [round(float(d), 6) for d in own[:, 1]], round(float(mine[0, 0]), 6)
