"""The most of each call in a window: what exceeds it, whatever order the envelopes are merged in."""

from itertools import permutations

import pytest

from classifier.envelope.counters import CAP, FEWEST, Counters
from classifier.envelope.state import freeze, thaw


def filled(*, n=40, base=100, number=0):
    c = Counters()
    for i in range(n):
        c.learn({number: base + i % 10})
    return c


@pytest.mark.parametrize(
    ("calls", "over"),
    [
        pytest.param({0: 109}, [], id="the most there was"),
        pytest.param({0: 163}, [], id="within the margin"),
        pytest.param({0: 164}, [0], id="beyond the margin"),
        pytest.param({59: 1}, [59], id="never made"),
        pytest.param({0: 400, 59: 9}, [59, 0], id="both, worst first"),
        pytest.param({}, [], id="nothing"),
    ],
)
def test_what_exceeds(calls, over):
    c = filled()
    assert [e.number for e in c.exceeded(calls)] == over
    assert bool(over) == (c.score(calls) > 1.5)


def test_little_known_says_nothing():
    c = filled(n=FEWEST - 1)
    assert c.score({59: 1}) is None and c.exceeded({59: 1}) == ()


def test_a_longer_window_is_compared_as_the_average_of_what_it_holds():
    c = filled()
    assert c.exceeded({0: 1000}, 100.0) == () and c.exceeded({0: 1000}, 10.0)
    c.learn({0: 3000}, 300.0)
    assert c.most[0] == 109
    c.learn({0: 60}, 1.0)  # a short one is not stretched
    assert c.most[0] == 109


def test_merging_in_any_order_and_twice_gives_the_same():
    parts = [filled(base=b, number=n) for b, n in ((10, 0), (90, 0), (5, 7))]
    merged = {freeze(a.merge(b).merge(c).merge(a)) for a, b, c in permutations(parts)}
    assert len(merged) == 1
    assert thaw(merged.pop()).most == {0: 99, 7: 14}


def test_numbers_are_bounded():
    c = Counters()
    for n in range(3 * CAP):
        c.learn({n: 1})
    other = Counters()
    for n in range(3 * CAP, 5 * CAP):
        other.learn({n: 1})
    assert len(c.most) == CAP == len(c.merge(other).most)


def test_chance_excess_falls_with_the_windows_learned():
    assert filled(n=40).expected() == pytest.approx(1 / 41)
    assert Counters().expected() == 0.0
