"""Sequences: what is read, what the kernel would tell of it, what the methods make of it."""

import gzip

import numpy as np
import pytest

from classifier.lab.real import adfa, baselines, compare, kernel, unm
from classifier.lab.real.table import DataError, number
from classifier.lab.real.traces import BEYOND, Grams, Trace, read
from sensor.observe import grams as sensed
from tests.lab.real.tiny import HEADING, traces


def trace(*calls, attack=False):
    return Trace("train", attack, "x", np.array(calls, dtype=np.int64))


def test_the_kernels_bit_is_the_sensors():
    packed = np.random.default_rng(1).integers(1, 1 << 30, 1000).astype(np.uint32)
    assert (kernel.bit(packed) == sensed.bit(packed)).all()


def test_a_trigram_is_told_once_and_one_with_a_taken_bit_never():
    calls = np.array([3, 4, 3, 4, 3, 4], dtype=np.int64)
    assert kernel.told(calls).tolist() == [4, 4 << 10 | 5, 4 << 20 | 5 << 10 | 4, 5 << 20 | 4 << 10 | 5]
    many = np.random.default_rng(1).integers(0, 400, 60_000)
    told = kernel.told(many)
    bits = kernel.bit(told)
    assert len(set(bits.tolist())) == len(told) < len(np.unique(Grams([trace(*many)], 3).code))


def test_numbers_beyond_the_table_are_one(tmp_path):
    with gzip.open(tmp_path / "traces.tsv.gz", "wt") as file:
        file.write(f"{HEADING}\nval\tnormal\t-\t-\ta\t3\t1 999 70000\n")
    assert read(tmp_path / "traces.tsv.gz")[0].calls.tolist() == [1, BEYOND, BEYOND]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("val\tnormal\t-\t-\ta\t2\t1 2 3", "line 2", id="another length"),
        pytest.param("val\tnormal\t-\t-\ta\t1\t-1", "line 2", id="below zero"),
        pytest.param("val\tnormal\t-\t-\ta\t1\tx", "line 2", id="no number"),
        pytest.param("val\tnormal", "line 2", id="cut short"),
        pytest.param("val\tnormal\t-\t-\ta\t1\t99999999999999999999999", "line 2", id="huge"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, says):
    with gzip.open(tmp_path / "traces.tsv.gz", "wt") as file:
        file.write(f"{HEADING}\n{line}\n")
    with pytest.raises(DataError, match=says):
        read(tmp_path / "traces.tsv.gz")


def test_a_file_cut_short_says_what_to_do(tmp_path):
    whole = (traces(tmp_path) / "traces.tsv.gz").read_bytes()
    (tmp_path / "traces.tsv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="restore"):
        read(tmp_path / "traces.tsv.gz")


def test_shares_of_unseen_grams():
    score = baselines.stide(2)([trace(1, 2, 3)])
    assert score([trace(1, 2, 3), trace(1, 2, 9), trace(5), trace()]).tolist() == [0.0, 0.5, 0.0, 0.0]
    assert baselines.pair_set([trace(1, 2)])([trace(1, 2, 1, 2, 1)]).tolist() == [0.5]


METHODS = baselines.METHODS | kernel.METHODS


def some(rng, n, strange=()):
    return [trace(*([257, 0, 0, 3] * int(rng.integers(3, 12))), *strange) for _ in range(n)]


@pytest.mark.parametrize("name", [n for n in METHODS if n != "IsolationForest on bags"])
def test_every_method_finds_what_is_plain(name):
    rng = np.random.default_rng(4)
    score = METHODS[name](some(rng, 60))
    assert score(some(rng, 20, [59, 41, 42] * 3)).min() >= score(some(rng, 20)).max()


def test_a_forest_is_blind_to_a_call_never_made():
    """It splits only where its training varies, which is why it fails on these sets."""
    rng = np.random.default_rng(4)
    score, plain = baselines.forest(some(rng, 60)), some(rng, 1)[0]
    assert score([plain])[0] == score([trace(*plain.calls, 59, 41)])[0]


def test_adfa_and_unm_give_their_tables(tmp_path):
    report = adfa.evaluate(traces(tmp_path))
    assert report.tables[0].title == "ADFA-LD, little learned" and len(report.tables) == 3
    best = number(report.tables[0].best("AUC", "ours").figures["AUC"])
    assert best > 0.95 and {r.kind for r in report.tables[0].rows} == {"ours", "baseline", "published"}
    old = unm.evaluate(traces(tmp_path, split=False, family="lpr"))
    assert old.tables[0].title == "UNM, lpr" and old.tables[0].aims


@pytest.mark.parametrize("evaluate", [adfa.evaluate, unm.evaluate], ids=["adfa", "unm"])
def test_too_little_says_what_to_give(tmp_path, evaluate):
    with pytest.raises(DataError, match=r"give|put"):
        evaluate(traces(tmp_path, normal=5, attacks=1))


def test_the_methods_are_the_same_whoever_runs_first():
    rng = np.random.default_rng(1)
    train = [trace(*rng.integers(0, 9, 40)) for _ in range(40)]
    normal, attack = train[:20], [trace(*rng.integers(3, 14, 40), attack=True) for _ in range(9)]

    def figures():
        return [
            {k: v for k, v in r.figures.items() if not k.endswith(" s")} for r in compare.rows(train, normal, attack)
        ]

    assert figures() == figures()
