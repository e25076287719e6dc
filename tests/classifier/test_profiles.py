"""How unusual a window's calls are: calibrated, exact, cheap, and the same whatever order the calls come in."""

import subprocess
import sys

import numpy as np
import pytest

from classifier.envelope.profiles import FEWEST, Profiles
from classifier.envelope.sequences import BITS, new_share, pairs, whole
from classifier.envelope.state import freeze, thaw
from wire import grams


def windows(n, seed=1, numbers=60):
    rng = np.random.default_rng(seed)
    mix = rng.dirichlet(np.ones(numbers) * 0.3)
    for _ in range(n):
        counts = rng.multinomial(800, mix)
        yield {int(k): int(counts[k]) for k in np.flatnonzero(counts)}


def filled(limit=128, n=500, seed=1):
    p = Profiles(limit)
    for w in windows(n, seed):
        p.add(w)
    return p


def test_p_values_of_the_same_kind_of_windows_are_evenly_spread():
    p = filled(n=128)
    found = [p.p_value(w) for w in windows(400 + 128)][128:]
    assert 0.03 < np.mean(np.array(found) <= 0.1) < 0.25 and 0.3 < np.mean(found) < 0.7


def test_a_call_never_made_and_another_mix_are_far():
    p = filled()
    usual = next(windows(1))
    assert p.p_value(usual) > 0.2 > 0.02 > p.p_value({59: 4, 400: 300, 401: 200})
    assert p.distance(usual | {400: 40}) > p.distance(usual)


def test_the_order_of_the_calls_changes_nothing():
    p = filled()
    new = next(windows(1, seed=7))
    assert p.distance(new) == p.distance(dict(reversed(new.items())))


def test_what_is_kept_may_change_under_the_table():
    p = filled(n=100)
    far = {400: 10}
    before = p.p_value(far)
    for _ in range(28):
        p.add(far)
    assert p.p_value(far) > before


@pytest.mark.parametrize("calls", [{}, {1: 0}], ids=["nothing", "made no time"])
def test_a_window_without_calls_says_nothing(calls):
    assert filled().p_value(calls) is None and filled().distance(calls) is None


def test_little_known_says_nothing():
    p = filled(n=FEWEST - 1)
    assert p.p_value({1: 1}) is None
    p.add({1: 1})
    assert p.p_value({1: 1}) is not None


def test_a_snapshot_holds_no_table_and_answers_the_same():
    p, new = filled(), next(windows(1, seed=3))
    cold = freeze(p)
    value = p.p_value(new)
    assert freeze(p) == cold and thaw(cold).p_value(new) == value and thaw(cold) == p


def test_merge_is_bounded_and_the_same_from_both_sides():
    one, two = filled(32, seed=1), filled(32, seed=2)
    assert one.merge(two) == two.merge(one) and len(one.merge(two).kept) <= 32
    assert one.merge(two).p_value({1: 5, 2: 5}) == two.merge(one).p_value({1: 5, 2: 5})


def test_asking_again_is_cheap():
    """What costs is the table of all that is kept; it is made anew only when that changed."""
    p, new = filled(), next(windows(1, seed=3))
    p.p_value(new)
    table = p._known()
    p.p_value(new)
    assert p._known() is table


def test_asking_loads_no_scikit_learn():
    code = (
        "import sys; from classifier.envelope.profiles import Profiles; p = Profiles(64)\n"
        "for n in range(40): p.add({0: n + 1, 1: 3})\n"
        "p.p_value({2: 1}); sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_trigrams_tell_their_pairs():
    assert BITS == grams.BITS
    told = [int(grams.pack(grams.NONE, grams.NONE, 3)), int(grams.pack(grams.NONE, 3, 4)), int(grams.pack(3, 4, 5))]
    assert pairs(told) == {4 << 10 | 5, 5 << 10 | 6} and whole(told) == {told[2]}
    assert new_share(pairs(told), {4 << 10 | 5}) == 0.5 and new_share(set(), {1}) == 0.0
