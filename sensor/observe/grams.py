"""The kernel's trigram bitmap, read with NumPy: which bit a gram sets.

Packing and names are in `wire.grams`, because full captures and the classifier need them as well; the hash is the
kernel side's own business and must equal `gram_bit()` in `bpf/`.
"""

from __future__ import annotations

import numpy as np

from wire.grams import NONE, name, pack, unpack

__all__ = ["BITMAP_BITS", "BITMAP_BYTES", "NONE", "bit", "name", "pack", "set_bits", "unpack"]

FACTOR = np.uint64(0x9E3779B1)  # Knuth's multiplicative hash, 2^32 divided by the golden ratio
LOW = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(15)
BITMAP_BITS = 1 << 17
BITMAP_BYTES = BITMAP_BITS // 8


def bit(packed):
    """Index of the bit of packed grams in the bitmap of 2^17 bits; scalar or array.

    >>> int(bit(1)), int(bit(pack(257, 0, 3)))
    (81006, 80329)
    """
    return (np.asarray(packed, dtype=np.uint64) * FACTOR & LOW) >> SHIFT


def set_bits(bitmap: np.ndarray) -> np.ndarray:
    """Indices of the bits set in one bitmap (uint8, little-endian bit order as the kernel writes them)."""
    return np.flatnonzero(np.unpackbits(bitmap, bitorder="little"))
