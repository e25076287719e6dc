"""First-seen trigrams to the shares of trigrams and of call pairs that are new.

The kernel keeps trigram bits, no pairs; but whoever told the trigram a>b>c told the pairs a>b and b>c. With little
learned, pairs say more than trigrams; with much learned, trigrams do (docs/lab-data.md). What a thread begins with is no
part of either: a trace that is cut somewhere begins with anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from wire.grams import BITS

LOW = (1 << 2 * BITS) - 1


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
