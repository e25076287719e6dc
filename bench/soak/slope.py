"""A line through samples that are not independent of each other: its slope and how far that can be believed. Pure.

The variance is that of Newey and West (1987) with Bartlett weights, over a span that is given in seconds and not taken from a
rule of thumb: memory moves in steps, and a step holds for minutes. As the span is no small part of the run, 1.96 would be too
little; the critical value grows with that part (Kiefer and Vogelsang 2005, Bartlett kernel, 95 %, two-sided).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SPAN = 600.0  # seconds over which samples may depend on each other
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Slope:
    """Units an hour, with the 95 % interval."""

    value: float
    low: float
    high: float
    samples: int

    def plain(self) -> dict[str, float]:
        return {
            "value": round(self.value, 3),
            "low": round(self.low, 3),
            "high": round(self.high, 3),
            "samples": self.samples,
        }


def slope(times: Sequence[float], values: Sequence[float], *, span: float = SPAN) -> Slope:
    """Least squares; `times` in seconds, ascending, about evenly spaced. Too few for an interval: it is without bounds.

    >>> slope([0.0, 3600.0, 7200.0], [1.0, 3.0, 5.0]).value
    2.0
    """
    t, y = np.asarray(times, float) / HOUR, np.asarray(values, float)
    n = len(t)
    if n < 2 or t[-1] == t[0]:
        return Slope(float("nan"), float("-inf"), float("inf"), n)
    x = t - t.mean()
    squares = float(x @ x)
    value = float(x @ y) / squares
    residuals = y - y.mean() - value * x
    lags = min(n - 1, max(1, round(span / HOUR / ((t[-1] - t[0]) / (n - 1)))))
    if n < 8:
        return Slope(value, float("-inf"), float("inf"), n)
    half = critical(lags / n) * np.sqrt(long_run(x * residuals, lags)) / squares
    return Slope(value, value - half, value + half, n)


def long_run(scores: np.ndarray, lags: int) -> float:
    """Variance of a sum of scores that depend on each other up to a lag."""
    total = float(scores @ scores)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(scores[lag:] @ scores[:-lag])
    return max(0.0, total)


def critical(part: float) -> float:
    """How many standard errors are 95 %, where the span is this part of the run."""
    b = min(1.0, part)
    return 1.96 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3
