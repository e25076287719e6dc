"""System calls that come with behaviours: how many of which, and trigrams that are new. Numbers are those of x86_64.

The same program makes the same sequences wherever it runs, whoever brought it: trigrams follow from a behaviour's name.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

ORDINARY = (0, 1, 3, 5, 7, 8, 9, 13, 20, 28, 35, 41, 42, 44, 45, 56, 59, 72, 202, 232, 257, 281)
COST = {  # kind of event → calls that one such act takes
    "exec": {59: 1, 56: 1, 257: 18, 3: 22, 0: 14, 5: 12, 9: 20},
    "egress": {41: 1, 42: 1, 44: 3, 45: 3, 3: 1},
    "ingress": {45: 2, 44: 2, 3: 1},
    "open": {257: 1, 0: 3, 3: 1},
    "identity": {257: 1, 0: 2, 3: 1},
}
LAST = 330  # of the numbers that a trigram is made of
START_UP = tuple(
    sorted(
        {
            (1 + ORDINARY[i % 22]) << 20 | (1 + ORDINARY[(i * 7 + 3) % 22]) << 10 | (1 + ORDINARY[(i * 3 + 1) % 22])
            for i in range(40)
        }
    )
)


def profile(rng: np.random.Generator, variants: int) -> list[dict[int, int]]:
    """The calls of ordinary hours of one workload."""
    base = rng.lognormal(4, 1.5, len(ORDINARY))
    noise = rng.lognormal(0, 0.3, (variants, len(ORDINARY)))
    return [dict(zip(ORDINARY, row, strict=True)) for row in (base * noise).astype(int).tolist()]


def novelty(name: str, kind: str) -> int:
    """How many trigrams a behaviour brings: a program dozens, anything else a few."""
    key = zlib.crc32(name.encode())
    return 15 + key % 70 if kind == "exec" else key % 9


@lru_cache(4096)
def trigrams(name: str, many: int) -> frozenset[int]:
    """The trigrams of a behaviour, a revision or an intruder; mostly of ordinary calls, now and then of odd ones."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    usual = rng.choice(ORDINARY, (many, 3))
    odd = rng.integers(1, LAST, (many, 3))
    mixed = np.where(rng.random((many, 3)) < 0.85, usual, odd) + 1
    return frozenset((mixed[:, 0] << 20 | mixed[:, 1] << 10 | mixed[:, 2]).tolist())
