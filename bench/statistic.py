"""Medians with bootstrap intervals. Rounds are drawn whole, so what disturbed a round disturbs all that is compared in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def plain(self) -> dict[str, float]:
        return {"value": round(self.value, 3), "low": round(self.low, 3), "high": round(self.high, 3)}


def estimate(samples: dict[str, list[float]], of: Callable[[dict[str, np.ndarray]], np.ndarray]) -> Estimate:
    """`of` takes samples by name, rounds on the last axis, and gives one number for each row of draws."""
    arrays = {k: np.asarray(v, float) for k, v in samples.items()}
    rounds = len(next(iter(arrays.values())))
    draws = np.random.default_rng(1).integers(0, rounds, (DRAWS, rounds))
    found = of({k: v[draws] for k, v in arrays.items()})
    low, high = np.percentile(found, [2.5, 97.5])
    return Estimate(float(of({k: v[None, :] for k, v in arrays.items()})[0]), float(low), float(high))


def median(values: np.ndarray) -> np.ndarray:
    return np.median(values, axis=-1)


def added(samples: dict[str, list[float]], what: str, off: str) -> Estimate:
    """Median of the differences within rounds."""
    return estimate({"a": samples[what], "b": samples[off]}, lambda s: median(s["a"] - s["b"]))


def ratio(samples: dict[str, list[float]], what: str, off: str, floor: str, floor_off: str) -> Estimate:
    """What it adds, as a multiple of what the floor adds."""
    chosen = {"a": samples[what], "b": samples[off], "c": samples[floor], "d": samples[floor_off]}
    return estimate(chosen, lambda s: median(s["a"] - s["b"]) / median(s["c"] - s["d"]))


def percent(samples: dict[str, list[float]], what: str, off: str) -> Estimate:
    """Median of the relative differences within pairs, in percent."""
    return estimate({"a": samples[what], "b": samples[off]}, lambda s: 100 * median(s["a"] / s["b"] - 1))


def factor(samples: dict[str, list[float]], what: str, off: str) -> Estimate:
    """Median of the quotients within rounds."""
    return estimate({"a": samples[what], "b": samples[off]}, lambda s: median(s["a"] / s["b"]))
