"""Figures of scores: AUC, detection at a rate, intervals that hold the value."""

import numpy as np
import pytest

from classifier.lab.real import score
from classifier.lab.real.table import Figure


def test_auc_equals_scikit_learns_and_ties_count_half():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    n, a = rng.integers(0, 6, 300).astype(float), rng.integers(2, 8, 80).astype(float)
    found = score.figures(n, a)["AUC"]
    assert found.value == pytest.approx(roc_auc_score(np.r_[np.zeros(300), np.ones(80)], np.r_[n, a]))
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("normal", "attack", "expected"),
    [
        pytest.param(np.arange(100.0), [98.0, 98.5, 99.0, 200.0], 0.75, id="one normal may exceed"),
        pytest.param(np.ones(100), [1.0, 1.0, 2.0], 1 / 3, id="a tie is no detection"),
        pytest.param(np.r_[np.zeros(90), np.full(10, 5.0)], [5.0, 5.0], 0.0, id="too many normals at the top"),
    ],
)
def test_detection_at_one_percent(normal, attack, expected):
    attack = np.array(attack)
    assert score.figures(normal, attack)["DR@1%"].value == pytest.approx(expected)
    assert score.detected(normal, attack, ["x"] * len(attack))["x"] == pytest.approx(expected, abs=1e-3)


def test_windows_are_drawn_by_container():
    rng = np.random.default_rng(2)
    normal = [rng.normal(size=500) for _ in range(12)]
    attack = [rng.normal(1.0, size=50) for _ in range(12)]
    found = score.windows(normal, attack)["AUC"]
    assert 0.7 < found.low < found.value < found.high < 0.82


def test_shares_and_ratios_have_intervals():
    assert score.share(np.array([True, False] * 20)).value == 0.5
    assert score.ratio(np.array([1, 0, 3]), np.array([10, 10, 20])).value == pytest.approx(0.1)
    assert str(Figure(0.5, 0.4, 0.6)) == "0.500 [0.400, 0.600]" and str(Figure(0.5)) == "0.500"


def test_the_same_scores_give_the_same_intervals():
    n, a = np.arange(50.0), np.arange(20.0, 70.0)
    assert score.figures(n, a) == score.figures(n, a)
