"""Fleets: one stream in order, which a classifier takes."""

from __future__ import annotations

import time

from classifier.lab.fleet import arrival, fleet
from classifier.lab.simulate import Plan
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from wire.records import Head, Window

PLAN = Plan(seed=13, deployments=3, learn_days=5, days=7, attacks=4.0)


def test_deployments_are_merged_by_time_and_begin_with_their_heads():
    told: list[int] = []
    stream, truths = fleet(PLAN, told.append)
    records = list(stream)
    times = [arrival(r) for r in records]
    assert times == sorted(times) and told == [1, 2, 3] and len(truths) == 3
    nodes = {r.replica.node for r in records if isinstance(r, Window)}
    assert {r.node for r in records if isinstance(r, Head)} >= nodes
    assert isinstance(records[0], Head)


def test_a_pipeline_takes_a_fleet_and_knows_every_workload():
    stream, truths = fleet(PLAN)
    pipeline, windows, begun = Pipeline(Policy()), 0, time.perf_counter()
    for record in stream:
        pipeline.feed(record)
        windows += isinstance(record, Window)
    print(f"{windows / (time.perf_counter() - begun):,.0f} windows a second with the pipeline")
    assert {w.workload for w in pipeline.workloads()} == {t.workload for t in truths}
    assert pipeline.counters["parked"] == 0


def test_how_fast_windows_are_made(capsys):
    begun, stream = time.perf_counter(), fleet(PLAN)[0]
    windows = sum(isinstance(r, Window) for r in stream)
    with capsys.disabled():
        print(f"\n{windows / (time.perf_counter() - begun):,.0f} windows a second without it")
