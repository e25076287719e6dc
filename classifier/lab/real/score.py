"""Scores of normal and attack units to AUC and detection at a false-alarm rate, with bootstrap intervals.

The threshold at a rate is the smallest that at most that share of the normals exceeds (drift-model section 2); ties
never count as detected. Intervals draw whole units (traces, or containers with all their windows) 400 times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifier.lab.real.table import Figure

DRAWS = 400
BINS = 2000  # of scores, where units hold many
RATES = {"DR@1%": 0.01, "DR@0.1%": 0.001}


def figures(normal: np.ndarray, attack: np.ndarray, seed: int = 1) -> dict[str, Figure]:
    """AUC and the detection rates of one score per unit, higher is stranger."""
    values, at = np.unique(np.concatenate([normal, attack]), return_inverse=True)
    places = at.reshape(-1)
    n, a = (_units(p, len(values)) for p in (places[: len(normal)], places[len(normal) :]))
    return pooled(n, a, seed)


def windows(normal: Sequence[np.ndarray], attack: Sequence[np.ndarray], seed: int = 1) -> dict[str, Figure]:
    """The same over windows, drawn by the containers that they are of; one array of each a container."""
    edges = np.unique(np.quantile(np.concatenate([*normal, *attack]), np.linspace(0, 1, BINS)))
    size = len(edges) + 1
    count = [
        np.array([np.bincount(np.searchsorted(edges, u, "left"), minlength=size) for u in side])
        for side in (normal, attack)
    ]
    return pooled(count[0], count[1], seed, together=True)


def pooled(normal: np.ndarray, attack: np.ndarray, seed: int = 1, *, together: bool = False) -> dict[str, Figure]:
    """Figures of counts per unit and score bin, lowest first; `together`: normal and attack come from one unit."""
    rng = np.random.default_rng(seed)
    n_drawn = _draws(rng, normal.shape[0])
    a_drawn = n_drawn if together else _draws(rng, attack.shape[0])
    n, a = (n_drawn @ normal).astype(float), (a_drawn @ attack).astype(float)
    found = {"AUC": _auc(n, a)} | {name: _detection(n, a, rate) for name, rate in RATES.items()}
    return {k: Figure(float(v[0]), *map(float, np.nanpercentile(v[1:], [2.5, 97.5]))) for k, v in found.items()}


def share(hits: np.ndarray, seed: int = 1) -> Figure:
    """A share of units and its interval."""
    if not len(hits):
        return Figure(float("nan"))
    drawn = np.random.default_rng(seed).integers(0, len(hits), (DRAWS, len(hits)))
    low, high = np.percentile(hits[drawn].mean(1), [2.5, 97.5])
    return Figure(float(hits.mean()), float(low), float(high))


def ratio(above: np.ndarray, below: np.ndarray, seed: int = 1) -> Figure:
    """A sum over a sum, drawn by unit."""
    drawn = np.random.default_rng(seed).integers(0, len(above), (DRAWS, len(above)))
    low, high = np.percentile(above[drawn].sum(1) / np.maximum(below[drawn].sum(1), 1e-12), [2.5, 97.5])
    return Figure(float(above.sum() / max(below.sum(), 1e-12)), float(low), float(high))


def threshold(normal: np.ndarray, rate: float) -> float:
    """The smallest that at most `rate` of the normals exceed.

    >>> threshold(np.arange(100.0), 0.02)
    97.0
    """
    return float(np.sort(normal)[::-1][int(np.floor(rate * len(normal) + 1e-9))])


def detected(normal: np.ndarray, attack: np.ndarray, families: Sequence[str], rate: float = 0.01) -> dict[str, float]:
    """Share of each family above the threshold."""
    hit = attack > threshold(normal, rate)
    names = np.array(families)
    return {f: round(float(hit[names == f].mean()), 3) for f in sorted(set(families))}


def _units(places: np.ndarray, size: int):
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(places)), (np.arange(len(places)), places)), shape=(len(places), size))


def _draws(rng: np.random.Generator, units: int) -> np.ndarray:
    """How often each unit is in each draw; the first row is the set itself."""
    drawn = rng.multinomial(units, np.full(units, 1 / units), DRAWS)
    return np.vstack([np.ones(units, np.int64), drawn])


def _auc(normal: np.ndarray, attack: np.ndarray) -> np.ndarray:
    below = np.cumsum(normal, axis=1) - normal / 2  # half of a tie
    return (below * attack).sum(1) / (normal.sum(1) * attack.sum(1))


def _detection(normal: np.ndarray, attack: np.ndarray, rate: float) -> np.ndarray:
    total = normal.sum(1, keepdims=True)
    above = total - np.cumsum(normal, axis=1)  # normals strictly above each score
    place = np.argmax(above <= rate * total + 1e-9, axis=1)
    caught = attack.sum(1) - np.take_along_axis(np.cumsum(attack, axis=1), place[:, None], 1)[:, 0]
    return caught / attack.sum(1)
