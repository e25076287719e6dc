"""First-seen trigrams to the shares of trigrams and of call pairs that are new.

The kernel keeps trigram bits, no pairs; but whoever told the trigram a>b>c told the pairs a>b and b>c. With little
learned, pairs say more than trigrams; with much learned, trigrams do (docs/lab-data.md). What a thread begins with is no
part of either: a trace that is cut somewhere begins with anything.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from classifier.envelope.state import stored

BITS = 10  # as wire.grams packs; that module loads numpy, whose threads would keep the privileges that the classifier drops
LOW = (1 << 2 * BITS) - 1
FRESH = 64  # sequences that wait to be packed, at least
SHARE = 64  # bytes packed, for each of which one more may wait
WORD = 1 << 32


@stored
@dataclass(slots=True)
class Sequences:
    """Packed trigrams, four bytes each where a set takes sixty.

    >>> known = Sequences()
    >>> known.update([7, 3, 7])
    >>> 3 in known, 4 in known, sorted(known), len(known)
    (True, False, [3, 7], 2)
    """

    sorted: bytes = b""
    fresh: set[int] = field(default_factory=set)

    def update(self, grams: Iterable[int]) -> None:
        """These are known too."""
        self.fresh.update([g for g in grams if g not in self])
        if len(self.fresh) > FRESH + len(self.sorted) // SHARE:
            fits = {g for g in self.fresh if 0 <= g < WORD}
            self.sorted = array("I", sorted([*self._packed(), *fits])).tobytes()
            self.fresh -= fits

    def _packed(self) -> memoryview:
        return memoryview(self.sorted).cast("I")

    def __contains__(self, gram: int) -> bool:
        if gram in self.fresh:
            return True
        packed = self._packed()
        place = bisect_left(packed, gram)
        return place < len(packed) and packed[place] == gram

    def __iter__(self) -> Iterator[int]:
        yield from self._packed()
        yield from self.fresh

    def __len__(self) -> int:
        return len(self.sorted) // 4 + len(self.fresh)


def whole(grams: Iterable[int]) -> set[int]:
    """Packed trigrams of three calls, without those at a thread's begin.

    >>> whole([1, 1 << 10 | 2, 1 << 20 | 2 << 10 | 3]) == {1 << 20 | 2 << 10 | 3}
    True
    """
    return {gram for gram in grams if gram >> 2 * BITS}


def pairs(grams: Iterable[int]) -> set[int]:
    """Pairs of calls within packed trigrams.

    >>> sorted(pairs([1, 1 << 20 | 2 << 10 | 3])) == [1 << 10 | 2, 2 << 10 | 3]
    True
    """
    found = {part for gram in grams for part in (gram >> BITS, gram & LOW)}
    return {pair for pair in found if pair >> BITS}


def new_share(told: set[int], known: set[int]) -> float:
    """Share of what was told that is not known; 0 if nothing was told."""
    return len(told - known) / len(told) if told else 0.0
