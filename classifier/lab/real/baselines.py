"""The baselines of drift-model section 2 on traces: fit on normal ones, score any, higher is stranger."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from classifier.lab.real.traces import Grams, Trace, bags

Scorer = Callable[[list[Trace]], np.ndarray]
Method = Callable[[list[Trace]], Scorer]


def stide(n: int) -> Method:
    """Share of a trace's n-grams that no normal trace had (Forrest 1996)."""
    return lambda train: _unseen(train, n, distinct=False)


def pair_set(train: list[Trace]) -> Scorer:
    """Share of a trace's distinct pairs that no normal trace had."""
    return _unseen(train, 2, distinct=True)


def _unseen(train: list[Trace], n: int, *, distinct: bool) -> Scorer:
    known = np.unique(Grams(train, n).code)

    def score(traces: list[Trace]) -> np.ndarray:
        grams = Grams(traces, n)
        grams = grams.distinct() if distinct else grams
        return grams.share(~_among(known, grams.code))

    return score


def bag_js(train: list[Trace]) -> Scorer:
    """Jensen-Shannon divergence of a trace's call mix from the mean mix."""
    mean = _mixes(bags(train)).mean(0)
    return lambda traces: _divergence(_mixes(bags(traces)), mean)


def bag_knn(train: list[Trace]) -> Scorer:
    """Cosine distance of the call counts to the nearest normal trace's."""
    known = _unit(bags(train).astype(float))
    return lambda traces: 1 - (_unit(bags(traces).astype(float)) @ known.T).max(1)


def pair_knn(train: list[Trace]) -> Scorer:
    """Hellinger distance of the pair frequencies to the nearest normal trace's."""
    columns = np.unique(Grams(train, 2).code)
    known = _pair_roots(train, columns)
    return lambda traces: 1 - (_pair_roots(traces, columns) @ known.T).max(axis=1).toarray().ravel()


def forest(train: list[Trace]) -> Scorer:
    """IsolationForest on the call counts."""
    from sklearn.ensemble import IsolationForest

    fitted = IsolationForest(n_estimators=100, random_state=1).fit(bags(train))
    return lambda traces: -fitted.score_samples(bags(traces))


def over_max(train: list[Trace]) -> Scorer:
    """Largest ratio of a call's count to the most of any normal trace; a call never made counts as 1000."""
    most = bags(train).max(0)

    def score(traces: list[Trace]) -> np.ndarray:
        found = bags(traces)
        ratio = np.where(most > 0, found / np.maximum(most, 1), 1000.0 * (found > 0))
        return ratio.max(1)

    return score


def new_call(train: list[Trace]) -> Scorer:
    """How many calls a trace makes that no normal trace made."""
    most = bags(train).max(0)
    return lambda traces: ((bags(traces) > 0) & (most == 0)).sum(1).astype(float)


METHODS: dict[str, Method] = {
    "STIDE n=6": stide(6),
    "STIDE n=3": stide(3),
    "bag of calls, JS vs mean": bag_js,
    "bag of calls, kNN cosine": bag_knn,
    "pair frequency, kNN Hellinger": pair_knn,
    "pair-set novelty": pair_set,
    "IsolationForest on bags": forest,
    "over-max (ratio) or new call": over_max,
    "new call only": new_call,
}


def _among(known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    if not len(known):
        return np.zeros(len(codes), bool)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return known[at] == codes


def _mixes(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def _unit(table: np.ndarray) -> np.ndarray:
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)


def _divergence(mixes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    middle = (mixes + mean) / 2
    return (_relative(mixes, middle) + _relative(np.broadcast_to(mean, mixes.shape), middle)) / 2


def _relative(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / np.where(q > 0, q, 1)), 0).sum(1)


def _pair_roots(traces: list[Trace], columns: np.ndarray):
    """Square roots of pair frequencies, sparse; pairs without a column count in the frequencies only."""
    from scipy.sparse import csr_array

    grams = Grams(traces, 2)
    total = np.maximum(np.bincount(grams.owner, minlength=len(traces)), 1)
    kept = _among(columns, grams.code)
    owner, place = grams.owner[kept], np.searchsorted(columns, grams.code[kept])
    cell, times = np.unique(owner * len(columns) + place, return_counts=True)
    rows = cell // max(len(columns), 1)
    values = np.sqrt(times / total[rows])
    return csr_array((values, (rows, cell % max(len(columns), 1))), shape=(len(traces), len(columns)))
