"""Memory that was freed goes back to the system at once, instead of waiting in the C library for the next who asks.

glibc raises the size from which a block is mapped by itself, and so given back by itself, to that of the largest one that was
ever freed. After one snapshot of some MiB every later one is cut from an arena, small things that stay settle between its
pieces, and the arena never shrinks (measured: docs/soak.md). A size that is set stays.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of mallopt(3)
SETTINGS = {
    ARENA_MAX: 1,  # all but SQLite and zstd work under one lock of Python anyway
    MMAP_THRESHOLD: 1280 << 10,  # bytes; more than a packer takes for each small thing it packs
    TRIM_THRESHOLD: 2 << 20,  # bytes at the end of an arena; more than such a packer, or each would go back
}


def give_back() -> bool:
    """Do so from now on; before the first thread, as each brings an arena. False: another C library, which has its own ways."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return all(mallopt(what, value) == 1 for what, value in SETTINGS.items())
