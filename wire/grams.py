"""Three calls of one thread in a row, as one number and as a name.

Numbers from 512 on are one symbol, "beyond the table"; 0 in a place means that the thread had made no call yet. So the
first two calls of a thread give grams as well: ``(0, 0, a)`` and ``(0, a, b)``. The kernel side packs in the same way.
"""

from __future__ import annotations

import numpy as np

from wire import syscalls

NONE = -1  # stands for "no call yet" in unpacked grams
BITS = 10
MASK = (1 << BITS) - 1


def pack(a, b, c):
    """Packed grams of call numbers: ``(a+1)<<20 | (b+1)<<10 | (c+1)``; scalars or arrays, `NONE` for no call yet.

    >>> int(pack(NONE, NONE, 0)), int(pack(0, 1, 2))
    (1, 1050627)
    """
    x, y, z = (_symbol(v) for v in (a, b, c))
    return (x << np.uint32(2 * BITS)) | (y << np.uint32(BITS)) | z


def _symbol(numbers) -> np.ndarray:
    clipped = np.minimum(np.asarray(numbers, dtype=np.int64), syscalls.BEYOND)
    return (clipped + 1).astype(np.uint32)


def unpack(packed):
    """The three call numbers of packed grams; `NONE` for no call yet, 512 for beyond the table.

    >>> [int(n) for n in unpack(1050627)]
    [0, 1, 2]
    """
    p = np.asarray(packed, dtype=np.int64)
    return (p >> (2 * BITS) & MASK) - 1, (p >> BITS & MASK) - 1, (p & MASK) - 1


def name(packed: int, arch: str = "x86_64") -> str:
    """The canonical behaviour of one packed gram; ``^`` for no call yet, ``beyond`` for a number beyond the table.

    >>> name(int(pack(257, 0, 3)))
    'gram:openat>read>close'
    """
    return "gram:" + ">".join(_word(int(n), arch) for n in unpack(packed))


def _word(number: int, arch: str) -> str:
    if number == NONE:
        return "^"
    return "beyond" if number >= syscalls.BEYOND else syscalls.name(number, arch)
