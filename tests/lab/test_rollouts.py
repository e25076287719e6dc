"""Genuine changes and the replicas that carry them."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.lab.lives import cast
from classifier.lab.rollouts import chain, draw
from classifier.lab.workloads import draw as profile
from classifier.lab.world import DAY, START, world_of

UNTIL = START + 44 * DAY


def story(seed: int):
    world, drafts = world_of(seed), []
    p = profile(np.random.default_rng(seed), world, seed)
    changes = draw(np.random.default_rng(seed + 1), world, p, 44, drafts)
    chain(changes)
    people = cast(np.random.default_rng(seed + 2), p, changes, index=seed, seed=seed, until=UNTIL)
    return p, changes, people, drafts


STORIES = [story(seed) for seed in range(40)]


def test_changes_come_two_to_four_times_a_month():
    found = [len(changes) * 30 / 43 for _, changes, _, _ in STORIES]
    assert 1.8 < float(np.mean(found)) < 4.5


def test_every_change_has_a_fact_and_most_an_event():
    changes = [r for _, found, _, _ in STORIES for r in found]
    assert all(r.fact >= 0 for r in changes)
    assert 0.85 < sum(bool(r.deploys) for r in changes) / len(changes) < 1.0


def test_a_hot_change_has_no_revision_and_no_new_replicas():
    hot = [r for _, found, _, _ in STORIES for r in found if r.way == "hot"]
    assert hot and all(r.name is None and not r.steps and all(d.revision is None for d in r.deploys) for r in hot)


def test_scopes_name_what_the_change_brings_or_nothing():
    from fnmatch import fnmatchcase

    for r in (r for _, found, _, _ in STORIES for r in found):
        for pattern in r.deploys[0].scope if r.deploys else ():
            assert any(fnmatchcase(h.grow or h.act.behaviour, pattern) for h in r.habits)


def test_some_events_come_late_and_some_before_the_change():
    deploys = [(r, r.deploys[0]) for _, found, _, _ in STORIES for r in found if r.deploys]
    assert [d for _, d in deploys if d.received - d.time > 300]
    assert [d for r, d in deploys if d.received < r.time - 30]
    assert all(d.trust in ("signed", "local") and not d.refused for _, d in deploys)


@pytest.mark.parametrize("seed", range(0, 40, 5))
def test_a_slot_has_a_replica_nearly_all_the_time_and_each_its_own_cgroup(seed):
    p, _, people, _ = STORIES[seed]
    assert len({x.replica for x in people.lives}) == len(people.lives)
    for slot in range(p.replicas):
        lives = [x for x in people.lives if x.slot == slot]
        assert lives[0].start == START and lives[-1].end == UNTIL
        assert sum(x.end - x.start for x in lives) > 0.99 * (UNTIL - START)


def test_old_and_new_run_side_by_side_during_a_rollout():
    both = 0
    for p, changes, people, _ in STORIES:
        for r in (r for r in changes if r.way == "rolling" and p.replicas > 2):
            alive = {x.revision for x in people.lives if x.start <= r.time + 120 < x.end}
            both += len(alive) > 1
    assert both > 10


def test_a_rolled_back_revision_ends():
    undone = [(r, people) for _, found, people, _ in STORIES for r in found if r.way == "rollback"]
    assert undone
    for r, people in undone:
        assert all(x.end <= r.until + 400 or x.slot >= 50 for x in people.lives if x.revision == r.number)
