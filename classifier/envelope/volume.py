"""Bytes per window to a mergeable histogram, its quantiles, and how far a new value lies outside.

Buckets are those of an HDR histogram: 16 to an octave, so a quantile is within 6.25 % of the true value, and everything
is integer arithmetic, which gives the same buckets on every machine (a logarithm need not).
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable
from functools import cache

Histogram = dict[int, int]  # bucket → windows

WIDTHS = {1: "B", 2: "H", 4: "I"}  # bytes of a number → code of its array
MAD = 1.4826  # of a normal distribution, to standard deviations
SPREAD = 0.05  # ln(bytes); no real quantity is steadier than this


def bucket(n: int) -> int:
    """The bucket of a whole number of bytes.

    >>> [bucket(n) for n in (0, 31, 32, 33, 1_000_000)]
    [0, 31, 96, 96, 334]
    """
    bits = n.bit_length()
    return n if bits <= 5 else (bits << 4) | ((n >> (bits - 5)) & 15)


@cache  # some 16 buckets to an octave
def upper(b: int) -> int:
    """The largest number of a bucket.

    >>> upper(bucket(1_000_000)) >= 1_000_000 >= upper(bucket(1_000_000)) * 0.93
    True
    """
    if b < 32:
        return b
    shift = (b >> 4) - 5
    return ((16 + (b & 15) + 1) << shift) - 1


def packed(h: Histogram) -> bytes:
    """A histogram in three to six bytes a bucket, where a dictionary takes some eighty.

    First how many bytes a number of windows has, then all buckets, then all numbers.

    >>> unpacked(packed({31: 2, 334: 1})) == {31: 2, 334: 1}
    True
    """
    if not h:
        return b""
    order = sorted(h)
    windows = [h[b] for b in order]
    most = max(windows)
    width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
    return bytes((width,)) + array("H", order).tobytes() + array(WIDTHS[width], windows).tobytes()


def unpacked(data: bytes) -> Histogram:
    """The histogram that was packed."""
    if not data:
        return {}
    cut = _windows_at(data)
    numbers = memoryview(data)
    return dict(zip(numbers[1:cut].cast("H"), numbers[cut:].cast(WIDTHS[data[0]]), strict=True))


def highest(data: bytes) -> int:
    """The largest bucket of a packed histogram; -1 if it is empty."""
    return int.from_bytes(data[_windows_at(data) - 2 : _windows_at(data)], sys.byteorder) if data else -1


def _windows_at(data: bytes) -> int:
    return 1 + 2 * ((len(data) - 1) // (2 + data[0]))


def pooled(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of several histograms; none of them changes."""
    some = [h for h in histograms if h]
    total: Histogram = dict(some[0]) if some else {}
    for h in some[1:]:
        for b, n in h.items():
            total[b] = total.get(b, 0) + n
    return total


def larger(one: Histogram, two: Histogram) -> Histogram:
    """Per bucket the larger count: the later of two states of the same growing histogram."""
    return {b: max(one.get(b, 0), two.get(b, 0)) for b in sorted(one.keys() | two.keys())}


def count(h: Histogram) -> int:
    """Windows in a histogram."""
    return sum(h.values())


def quantile(h: Histogram, q: float) -> int:
    """The value (bytes) below or at which a share `q` of the windows lies; 0 of an empty histogram."""
    left = q * count(h)
    for b in sorted(h):
        left -= h[b]
        if left <= 0:
            return upper(b)
    return upper(max(h)) if h else 0


def maximum(h: Histogram) -> int:
    """The largest value, up to its bucket's end."""
    return upper(max(h)) if h else 0


def centre(h: Histogram) -> tuple[float, float]:
    """Median and scale of ln(bytes + 1); the scale is 1.4826 times the median absolute deviation, or `SPREAD`."""
    middle = math.log(quantile(h, 0.5) + 1)
    away = sorted([(abs(_ln(b) - middle), n) for b, n in h.items()])
    left = count(h) / 2
    for distance, n in away:
        left -= n
        if left <= 0:
            return middle, max(MAD * distance, SPREAD)
    return middle, SPREAD


@cache
def _ln(b: int) -> float:
    return math.log(upper(b) + 1)


def robust_z(h: Histogram, n: int) -> float:
    """How many robust standard deviations ln(bytes) lies above the median; below it is negative.

    >>> h = {bucket(1000): 50, bucket(1200): 50}
    >>> robust_z(h, 1100) < 6 < robust_z(h, 1_000_000)
    True
    """
    middle, scale = centre(h)
    return round((math.log(n + 1) - middle) / scale, 3)
