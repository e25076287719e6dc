"""A trace as the daemon sees it, and our scores of it: through the code that the daemon uses.

A process is a replica: its calls become windows of ten thousand (the importer's ten seconds), each with counts per
number and the trigrams that it made for the first time *as the kernel's bitmap of 2^17 bits tells them*. Of normal
traces the classifier keeps 128 of the windows' counts, the most of each call in a window, and the set of told trigrams.
No frequencies of pairs or trigrams are kept anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from classifier.envelope.counters import Counters
from classifier.envelope.profiles import Profiles
from classifier.envelope.sequences import new_share, pairs, whole
from classifier.lab.real.baselines import Method, Scorer
from classifier.lab.real.traces import Trace
from classifier.policy import Policy
from wire import grams

WINDOW = 10_000  # calls
KEEPS = (
    "per replica and window the count of each call and the trigrams whose bit (of 2^17, one bitmap a replica) was set "
    "for the first time; per workload 128 windows' counts, the most of each call in a window, the set of told trigrams "
    "and the pairs within them; no frequency of any pair or trigram"
)
# Beside the profile distance (0 to 3.4), of the shares of new pairs and new trigrams. Chosen on the part of ADFA-LD that
# is here: from 1 to 4 each the AUC moves by .03 and detection within the intervals.
PAIRS, TRIGRAMS = 2.0, 1.0
HEADLINE = "ours: profile + new sequences"


def bit(packed: np.ndarray) -> np.ndarray:
    """The kernel's bit of packed trigrams; must equal `sensor.observe.grams.bit`, which a test checks."""
    return (packed.astype(np.uint64) * np.uint64(0x9E3779B1) & np.uint64(0xFFFFFFFF)) >> np.uint64(15)


def told(calls: np.ndarray) -> np.ndarray:
    """Packed trigrams that the kernel tells of one thread, in order: the first that sets each bit."""
    padded = np.concatenate(([grams.NONE, grams.NONE], calls))
    packed = grams.pack(padded[:-2], padded[1:-1], padded[2:])
    _, first = np.unique(bit(packed), return_index=True)
    return packed[np.sort(first)]


def counts(calls: np.ndarray) -> list[dict[int, int]]:
    """Calls per number in each window of a trace."""
    found = (np.bincount(calls[at : at + WINDOW]) for at in range(0, len(calls), WINDOW))
    return [{int(n): int(c[n]) for n in np.flatnonzero(c)} for c in found]


def profile(train: list[Trace]) -> Scorer:
    """Distance of the counts to the 128 kept ones (`Profiles.distance`), of the strangest window."""
    kept = _learned(train)
    return lambda traces: np.array([_strangest(kept, t) for t in traces])


def p_value(train: list[Trace]) -> Scorer:
    """The same as the daemon says it: one minus `Profiles.p_value`, of at most 129 steps."""
    kept = _learned(train)

    def score(traces: list[Trace]) -> np.ndarray:
        return np.array([1 - min((kept.p_value(w) or 1.0 for w in counts(t.calls)), default=1.0) for t in traces])

    return score


def trigrams(train: list[Trace]) -> Scorer:
    """Share of the told trigrams that are new to the workload: the daemon's sequence term."""
    return _new(train, whole)


def told_pairs(train: list[Trace]) -> Scorer:
    """Share of the pairs within the told trigrams that are new to the workload."""
    return _new(train, pairs)


def counters(train: list[Trace]) -> Scorer:
    """Largest ratio of a count to the most in any window (`Counters.score`)."""
    kept = Counters()
    for trace in train:
        for window in counts(trace.calls):
            kept.learn(window)
    return lambda traces: np.array([max((kept.score(w) or 0.0 for w in counts(t.calls)), default=0.0) for t in traces])


def fused(train: list[Trace]) -> Scorer:
    """Profile distance plus the weighted shares of new pairs and trigrams: one score from counts and trigram bits.

    The distance counts as far as its sample is filled: of few windows, those not seen are as far apart as an attack.
    """
    kept = _learned(train)
    filled = min(1.0, kept.seen / kept.limit)
    second, third = told_pairs(train), trigrams(train)

    def score(traces: list[Trace]) -> np.ndarray:
        first = np.array([_strangest(kept, t) for t in traces])
        return filled * first + PAIRS * second(traces) + TRIGRAMS * third(traces)

    return score


METHODS: dict[str, Method] = {
    HEADLINE: fused,
    "ours: profile distance": profile,
    "ours: profile, p-value": p_value,
    "ours: new trigrams told": trigrams,
    "ours: new pairs told": told_pairs,
    "ours: counters": counters,
}


def _new(train: list[Trace], parts: Callable[[Iterable[int]], set[int]]) -> Scorer:
    known = set().union(*(parts(told(t.calls).tolist()) for t in train))
    return lambda traces: np.array([new_share(parts(told(t.calls).tolist()), known) for t in traces])


def _learned(train: list[Trace]) -> Profiles:
    kept = Profiles(Policy().max_profiles)
    for trace in train:
        for window in counts(trace.calls):
            kept.add(window)
    return kept


def _strangest(kept: Profiles, trace: Trace) -> float:
    return max((kept.distance(w) or 0.0 for w in counts(trace.calls)), default=0.0)
