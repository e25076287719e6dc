"""A slope is what it is, and its interval does not claim more than samples that depend on each other can say."""

import numpy as np
import pytest

from bench.soak.slope import MOST, coefficient, slope, student

TIMES = np.arange(600) * 10.0  # seconds: 100 minutes


def remembering(seconds, seed):
    """A process without any trend that forgets within these seconds."""
    draws = np.random.default_rng(seed).standard_normal(len(TIMES) + 500)
    keeps = np.exp(-10 / seconds) if seconds else 0.0
    values = [draws[0]]
    for draw in draws[1:]:
        values.append(keeps * values[-1] + draw)
    return np.array(values[500:])


def test_a_straight_line_has_its_slope_and_no_doubt():
    found = slope(TIMES, 5 + 7 * TIMES / 3600)
    assert found.value == pytest.approx(7)
    assert found.high - found.low == pytest.approx(0, abs=1e-6)


def test_what_stands_still_has_none():
    found = slope(TIMES, [4096.0] * len(TIMES))
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0), abs=1e-9)


@pytest.mark.parametrize("seconds", [0, 100, 600], ids=["forgets-at-once", "two-minutes", "ten-minutes"])
def test_the_interval_holds_the_true_slope_about_as_often_as_it_says(seconds):
    held = sum(s.low <= 0 <= s.high for s in (slope(TIMES, remembering(seconds, seed)) for seed in range(60)))
    assert held >= 51


def test_a_trend_below_the_noise_of_one_sample_is_found():
    found = slope(TIMES, 2 * TIMES / 3600 + remembering(0, 1))
    assert found.low > 0


def test_dependence_makes_the_interval_wider():
    near, far = slope(TIMES, remembering(0, 3)), slope(TIMES, remembering(300, 3))
    assert far.memory > near.memory
    assert far.high - far.low > near.high - near.low


def test_a_pause_without_samples_changes_nothing_of_a_line():
    some = (TIMES < 2000) | (TIMES > 2300)
    assert slope(TIMES[some], TIMES[some]).value == pytest.approx(3600)


@pytest.mark.parametrize("number", [0, 1, 7], ids=["none", "one", "few"])
def test_too_few_say_nothing_of_an_interval(number):
    found = slope(TIMES[:number], TIMES[:number], mean=0)
    assert (found.low, found.high) == (float("-inf"), float("inf"))
    assert found.plain()["low"] is None


def test_the_coefficient_stays_within_what_can_be_told():
    assert coefficient(np.zeros(9)) == 0
    assert coefficient(np.array([1.0, -1.0] * 50)) == 0
    assert coefficient(np.sin(np.arange(1000) / 300)) == MOST


@pytest.mark.parametrize(("freedom", "quantile"), [(3, 3.182), (10, 2.228), (1e9, 1.96)], ids=["3", "10", "all"])
def test_students_quantiles_are_those_of_tables(freedom, quantile):
    assert student(freedom) == pytest.approx(quantile, rel=0.01)
