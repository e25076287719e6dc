"""Call frequencies of windows: a bounded, evenly spread sample, and how unusual a new window is among it.

A profile is the fourth roots of the call frequencies, scaled to length one: between shares (square roots, Hellinger),
where a hot loop drowns the rest, and the bare set of calls, where one call is as much as a thousand. How unusual a
window is: its distance to the nearest learned one plus its distance to their middle. The judgement is self-calibrated:
the share of learned windows that are at least as unusual (docs/lab-data.md: 128 profiles of ADFA-LD give AUC 0.85, the
nearest square roots of all 833 give 0.77; drift-model 2.4: what survives a benign deploy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum, sqrt
from typing import Any

import msgpack

from classifier.envelope.state import stored

Profile = dict[int, int]  # system call number → calls
FEWEST = 20  # profiles before anything is said
SCALE = 2048  # of a profile's length: products of two stay below 2^24, so float32 adds them exactly on any machine


@stored
@dataclass(slots=True)
class Profiles:
    """Every `stride`-th window; at the limit every other one goes and the stride doubles."""

    limit: int
    kept: list[bytes] = field(default_factory=list)  # packed
    stride: int = 1
    seen: int = 0
    _table: Any = field(default=None, init=False, repr=False, compare=False)  # of `kept`, until it changes

    def __post_init__(self) -> None:
        self.kept = [p if isinstance(p, bytes) else _packed(p) for p in self.kept]  # of an older snapshot

    def add(self, calls: Mapping[int, int]) -> None:
        """Take one window's calls in."""
        if self.seen % self.stride == 0:
            self.kept.append(_packed(calls))
            self._table = None
        self.seen += 1
        if len(self.kept) > self.limit:
            del self.kept[1::2]
            self.stride *= 2

    def distance(self, calls: Mapping[int, int]) -> float | None:
        """How unusual a window is, 0 to 3.4; None without calls or with fewer than `FEWEST` known."""
        if len(self.kept) < FEWEST or not any(calls.values()):
            return None
        return self._known().distance(calls)

    def p_value(self, calls: Mapping[int, int]) -> float | None:
        """Share of learned windows as unusual as this one; None without calls or with fewer than `FEWEST` known."""
        new = self.distance(calls)
        if new is None:
            return None
        own = self._known().own
        return round((1 + int((own >= new).sum())) / (len(own) + 1), 6)

    def merge(self, other: Profiles) -> Profiles:
        """A sample of both, the same in whichever order they are merged: the union, evenly thinned by content."""
        kept = sorted({*self.kept, *other.kept}, key=lambda p: sorted(_unpacked(p).items()))
        while len(kept) > max(self.limit, other.limit):
            del kept[1::2]
        stride = max(self.stride, other.stride)
        return Profiles(max(self.limit, other.limit), kept, stride, max(self.seen, other.seen))

    def _known(self) -> _Table:
        if self._table is None or self._table.rows != len(self.kept):
            self._table = _Table([_unpacked(p) for p in self.kept])
        return self._table


class _Table:
    """Kept profiles as an array of whole numbers, and how unusual each is among the others."""

    __slots__ = ("column", "length", "matrix", "middle", "own", "rows")

    def __init__(self, kept: list[Profile]) -> None:
        import numpy as np  # here: most streams never ask

        self.rows = len(kept)
        self.column = {n: i for i, n in enumerate(sorted({n for p in kept for n in p}))}
        self.matrix = np.zeros((len(kept), len(self.column)), np.float32)
        for row, profile in enumerate(kept):
            for number, value in _rooted(profile).items():
                self.matrix[row, self.column[number]] = value
        products = (self.matrix @ self.matrix.T).astype(np.float64)
        self.length = np.diagonal(products).copy()
        self.middle = float(products.sum()) / self.rows**2  # squared length of the mean profile
        apart = np.maximum(self.length[:, None] + self.length[None, :] - 2 * products, 0)
        np.fill_diagonal(apart, np.inf)
        spread = self.length - 2 * products.sum(1) / self.rows + self.middle
        self.own = np.round((np.sqrt(apart.min(1)) + np.sqrt(np.maximum(spread, 0))) / SCALE, 6)

    def distance(self, calls: Mapping[int, int]) -> float:
        """Distance to the nearest kept profile plus distance to their middle."""
        import numpy as np

        values = _rooted(calls)
        new = np.zeros(len(self.column), np.float32)
        for number, value in values.items():
            if (place := self.column.get(number)) is not None:
                new[place] = value
        length = float(sum(v * v for v in values.values()))
        products = self.matrix @ new
        near = float((self.length - 2.0 * products).min()) + length
        # The mean of the products is the product with the mean, and a sum of whole numbers: exact.
        spread = length - 2.0 * float(products.sum(dtype=np.float64)) / self.rows + self.middle
        return round((sqrt(max(near, 0.0)) + sqrt(max(spread, 0.0))) / SCALE, 6)


def _packed(calls: Mapping[int, int]) -> bytes:
    return bytes(msgpack.packb([part for pair in sorted(calls.items()) for part in pair]))


def _unpacked(data: bytes) -> Profile:
    flat = iter(msgpack.unpackb(data))
    return dict(zip(flat, flat, strict=True))


def _rooted(profile: Mapping[int, int]) -> dict[int, int]:
    """Fourth roots of the frequencies, scaled to length `SCALE` and rounded. A call made no time is none."""
    roots = {n: sqrt(calls) for n, calls in profile.items() if calls > 0}
    length = sqrt(fsum(roots.values())) or 1.0  # fsum: the same in whichever order the calls come
    return {n: round(SCALE * sqrt(root) / length) for n, root in roots.items()}
