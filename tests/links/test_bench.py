"""The benchmark: the same seed gives the same trace, its truth is about its events, and links do not fall behind."""

from __future__ import annotations

import numpy as np
import pytest

from bench.links.accuracy import accuracy, rows
from bench.links.detection import threshold
from bench.links.runs import DATA, Content, known, runs, signs_of, texts
from bench.links.traces import SCENARIOS, made
from classifier.links.edges import EFFECTS, KINDS


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_seed_gives_one_trace_whose_truth_is_about_its_events(name):
    events, truth = made(name, 3, turns=2)
    assert (events, truth) == made(name, 3, turns=2)
    ids = {e.id for e in events}
    assert all(s in ids and t in ids and k in KINDS for k, s, t in truth)
    assert truth


def test_links_hold_what_the_tables_say():
    found = accuracy(range(3))
    for row in rows(found.kinds, ("kind",)):
        floor = 0.93 if row["kind"] in EFFECTS else 0.99
        assert row["precision"] >= floor, row
        assert row["recall"] >= (0.75 if row["kind"] in EFFECTS else 0.96), row
    assert all(r["precision"] is None for r in rows(found.window, ("kind",)) if r["kind"] == "llm>tool")


def test_a_threshold_lets_no_more_than_its_share_through():
    quiet = np.array([0.0] * 95 + [5.0] * 5)
    assert (quiet > threshold(quiet, 0.05)).mean() <= 0.05
    assert (quiet > threshold(quiet, 0.01)).mean() <= 0.01


def test_an_injected_call_weighs_more_than_the_users_own():
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not here")
    every, results = runs(), texts()
    run = next(r for r in every if r.id == "workspace/user_task_1/injection_task_0")
    benign = [r for r in every if r.label == "benign" and r.suite == run.suite and r.task != run.task]
    read, sent = signs_of(run, known(benign), results, Content())
    assert sent.foreign and sent.unasked and sent.commanded
    assert not read.acts
