"""Detectors of one server's windows: learned from quiet windows, a score a window and a threshold, without any attack.

The baselines are those of drift-model 2.3; ours go through `Counters` and `Profiles`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from classifier.envelope.counters import MARGIN, Counters
from classifier.envelope.profiles import Profiles
from classifier.policy import Policy

PROFILE_MARGIN = 1.0  # of the largest profile distance in quiet windows that were not kept
THIN = 10  # of the sliding training windows every tenth, which share no sample, for the forest and the profile's limit


@dataclass(frozen=True, slots=True)
class Detector:
    """A score of windows and when it alarms."""

    score: Callable[[np.ndarray], np.ndarray]
    limit: float  # alarm above it


Method = Callable[[np.ndarray, float], Detector]  # quiet windows, seconds of a window


def over_max(margin: float) -> Method:
    """Counts over the most ever seen times a margin, or a call never made."""

    def learn(quiet: np.ndarray, seconds: float) -> Detector:
        most = quiet.max(0)
        return Detector(lambda w: np.where(most > 0, w / np.maximum(most, 1), 1000.0 * (w > 0)).max(1), margin)

    return learn


def new_call(quiet: np.ndarray, seconds: float) -> Detector:
    most = quiet.max(0)
    return Detector(lambda w: ((w > 0) & (most == 0)).sum(1).astype(float), 0.0)


def pca(quiet: np.ndarray, seconds: float) -> Detector:
    """Error of rebuilding log counts from ten components."""
    from sklearn.decomposition import PCA

    logs = np.log1p(quiet)
    fitted = PCA(min(10, *logs.shape), svd_solver="covariance_eigh").fit(logs)

    def score(windows: np.ndarray) -> np.ndarray:
        logs = np.log1p(windows)
        return np.linalg.norm(logs - fitted.inverse_transform(fitted.transform(logs)), axis=1)

    return Detector(score, float(score(quiet).max()))


def knn(quiet: np.ndarray, seconds: float) -> Detector:
    """Distance of log counts to the nearest of every other quiet window; the others set the limit."""
    known, others = np.log1p(quiet[::2]), np.log1p(quiet[1::2])
    length = (known**2).sum(1)

    def distance(logs: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum((length - 2 * logs @ known.T).min(1) + (logs**2).sum(1), 0))

    return Detector(lambda w: distance(np.log1p(w)), float(distance(others if len(others) else known).max()))


def divergence(quiet: np.ndarray, seconds: float) -> Detector:
    """Jensen-Shannon divergence of the call mix from the mean mix."""
    from classifier.lab.real.baselines import _divergence, _mixes

    mean = _mixes(quiet).mean(0)
    score = lambda w: _divergence(_mixes(w), mean)  # noqa: E731 - it is used twice
    return Detector(score, float(score(quiet).max()))


def forest(quiet: np.ndarray, seconds: float) -> Detector:
    from sklearn.ensemble import IsolationForest

    fitted = IsolationForest(n_estimators=50, random_state=1).fit(quiet[::THIN])
    score = lambda w: -fitted.score_samples(w)  # noqa: E731 - it is used twice
    return Detector(score, float(score(quiet[::THIN]).max()))


def counters(margin: float) -> Method:
    """What the daemon would keep and ask (`Counters`)."""

    def learn(quiet: np.ndarray, seconds: float) -> Detector:
        kept = Counters(seconds)
        for window in dicts(quiet[np.unique(quiet.argmax(0))]):  # the others hold no maximum and change nothing but
            kept.learn(window)
        kept.windows = len(quiet)  # their number
        return Detector(lambda w: np.array([kept.score(c) or 0.0 for c in dicts(w)]), margin)

    return learn


def profile(quiet: np.ndarray, seconds: float) -> Detector:
    """`Profiles.distance` of the counts; the limit is the largest of the quiet windows that were not kept."""
    kept = Profiles(Policy().max_profiles)
    for window in dicts(quiet):
        kept.add(window)
    score = lambda w: np.array([kept.distance(c) or 0.0 for c in dicts(w)])  # noqa: E731 - it is used twice
    return Detector(score, PROFILE_MARGIN * float(score(quiet[THIN // 2 :: THIN]).max()))


def either(first: Method, second: Method) -> Method:
    """Alarms if one of the two does: the larger of both scores, each in units of its limit."""

    def learn(quiet: np.ndarray, seconds: float) -> Detector:
        a, b = first(quiet, seconds), second(quiet, seconds)
        return Detector(lambda w: np.maximum(a.score(w) / a.limit, b.score(w) / b.limit), 1.0)

    return learn


HEADLINE = f"ours: counters x{MARGIN:g}"
EITHER = f"ours: counters x{MARGIN:g} or profile"
OURS: dict[str, Method] = {
    HEADLINE: counters(MARGIN),
    "ours: counters x2": counters(2.0),
    "ours: profile distance": profile,
    EITHER: either(counters(MARGIN), profile),
}
BASELINES: dict[str, Method] = {
    "over-max or new call": over_max(1.0),
    "over-max x1.5 or new call": over_max(1.5),
    "new call only": new_call,
    "PCA-10 on log counts": pca,
    "kNN-1 on log counts": knn,
    "call mix, JS vs mean": divergence,
    "IsolationForest on counts": forest,
}


def dicts(windows: np.ndarray) -> Iterator[dict[int, int]]:
    """Windows as the records hold them: number → calls, without zeros."""
    row, column = np.nonzero(windows)
    values = windows[row, column].tolist()
    columns = column.tolist()
    ends = np.searchsorted(row, np.arange(len(windows) + 1)).tolist()
    for at, to in pairwise(ends):
        yield dict(zip(columns[at:to], values[at:to], strict=True))
