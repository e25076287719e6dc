"""First-seen trigrams to the share of call pairs that are new.

The kernel keeps trigram bits, no pairs; but whoever told the trigram a>b>c told the pairs a>b and b>c. With little
learned, pairs say more than trigrams; with much learned, trigrams do (docs/lab-data.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from wire.grams import BITS

LOW = (1 << 2 * BITS) - 1


def pairs(grams: Iterable[int]) -> set[int]:
    """Pairs within packed trigrams.

    >>> sorted(pairs([1 << 20 | 2 << 10 | 3])) == [1 << 10 | 2, 2 << 10 | 3]
    True
    """
    found: set[int] = set()
    for gram in grams:
        found.add(gram >> BITS)
        found.add(gram & LOW)
    return found


def new_share(told: set[int], known: set[int]) -> float:
    """Share of what was told that is not known; 0 if nothing was told."""
    return len(told - known) / len(told) if told else 0.0
