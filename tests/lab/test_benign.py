"""Rare benign things, and the numbers of ordinary days."""

from __future__ import annotations

from collections import Counter

import pytest

from classifier.lab.benign import WEIGHTS
from classifier.lab.simulate import TYPES, Plan, deployment
from wire.records import Event, Gap, Identity, Tick, Window

PLAN = Plan(seed=31, attacks=0.0)
FLEET = [(list(stream), truth) for stream, truth in (deployment(PLAN, n) for n in range(len(TYPES)))]


def judged(truth):
    return [f for f in truth.facts if f.kind == "benign" and f.start >= truth.judged_from]


def test_a_deployment_sees_some_rare_benign_things_a_month():
    counts = [len(judged(truth)) for _, truth in FLEET]
    assert all(1 <= n <= 70 for n in counts) and sum(counts) > 8 * len(counts)


def test_every_family_of_rare_things_comes_up():
    found = Counter(f.family for _, truth in FLEET for f in truth.facts)
    assert set(WEIGHTS) <= set(found) and found["load"] and found["schedule"]


def test_what_has_been_seen_is_no_new_fact():
    for _, truth in FLEET:
        rare = [f for f in truth.facts if f.family in WEIGHTS]
        names = [b for f in rare for b in f.behaviours]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_a_replica_announces_what_it_does_once(index):
    told = Counter(
        (r.replica, r.behaviour) for r in FLEET[index][0] if isinstance(r, Event) and r.kind not in ("exec", "digest")
    )
    assert told and max(told.values()) == 1


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_windows_are_hours_of_living_replicas(index):
    born, gone = {}, {}
    for r in FLEET[index][0]:
        if isinstance(r, Identity):
            born.setdefault(r.replica, r.time)
            gone[r.replica] = r.ended
        if isinstance(r, Window):
            assert 0 < r.end - r.start <= 3600.001 and r.start >= born[r.replica] - 0.001
            assert r.replica not in gone or gone[r.replica] is None
            assert r.start % 3600 == 0 or r.start == born[r.replica]


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_time_passes_20_and_60_seconds_after_an_event(index):
    stream = FLEET[index][0]
    ticks = {
        (r.replica.node, r.time) if isinstance(r, Event) else (r.node, r.time) for r in stream if isinstance(r, Tick)
    }
    events = [r for r in stream if isinstance(r, Event)][:: max(1, len(stream) // 500)]
    for e in events:
        assert any(n == e.replica.node and 19.9 <= t - e.time <= 20.1 for n, t in ticks)
        assert any(n == e.replica.node and 59.9 <= t - e.time <= 60.1 for n, t in ticks)


def test_nothing_is_seen_while_the_sensor_was_not_running():
    gaps = [(stream, g) for stream, _ in FLEET for g in stream if isinstance(g, Gap)]
    assert gaps
    for stream, gap in gaps:
        inside = [w for w in stream if isinstance(w, Window) and w.replica.node == gap.node]
        assert not [w for w in inside if gap.start <= w.start and w.end <= gap.end]
        touched = [w for w in inside if w.start < gap.end and w.end > gap.start]
        assert all(w.partial for w in touched)
