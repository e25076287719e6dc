"""Worlds: alike for a seed, different for another, and ignorant of what will judge them."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from classifier import lab
from classifier.lab.acts import Act
from classifier.lab.workloads import TYPES, draw
from classifier.lab.world import SHARES, Names, world_of

FORBIDDEN = ("classifier.drift", "classifier.envelope", "classifier.policy", "classifier.pipeline", "sensor")
WRITERS = """
    acts world workloads rollouts lives tracks scene benign attacks strike intrusions
    disguises hands thefts calls stream simulate fleet truth
"""


@pytest.mark.parametrize("module", WRITERS.split())
def test_whoever_writes_the_story_does_not_know_the_judge(module):
    tree = ast.parse((Path(lab.__file__).parent / f"{module}.py").read_text())
    named = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    named |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not [name for name in named if name.startswith(FORBIDDEN)]


def test_a_seed_has_one_world_and_seeds_have_different_ones():
    assert world_of(3).late == world_of(3).late
    assert len({world_of(seed).late for seed in range(20)}) == 20


def test_the_shares_of_new_behaviours_are_probabilities():
    for change in SHARES:
        assert world_of(5).shares[change].sum() == pytest.approx(1.0)


def test_a_busy_world_has_more_changes_and_more_rare_things():
    calm, busy = world_of(4), world_of(4, "busy")
    assert busy.rollouts[0] == pytest.approx(1.5 * calm.rollouts[0])
    assert busy.rarities > calm.rarities and busy.shape < calm.shape


def test_a_fleet_has_every_type():
    world = world_of(9)
    drawn = [draw(np.random.default_rng(n), world, n) for n in range(len(TYPES))]
    assert {p.type for p in drawn} == set(TYPES)
    assert all(p.habits and 1 <= p.replicas <= 8 for p in drawn)


def test_words_never_come_twice():
    names = Names(np.random.default_rng(1))
    words = [names.word() for _ in range(2000)]
    assert len(set(words)) == 2000


@pytest.mark.parametrize(
    ("act", "kind", "path"),
    [
        (Act("exec:/usr/bin/tar<sh", "tar<sh"), "exec", "/usr/bin/tar"),
        (Act("open:data:/srv/a.db", "go"), "open", "/srv/a.db"),
        (Act("write:code:/app/a.py", "go"), "open", "/app/a.py"),
        (Act("egress:tcp:a.example.org:443", "go", "192.0.2.1"), "egress", ""),
        (Act("syscall:mount", "go"), "syscall", ""),
    ],
    ids=lambda v: v.behaviour if isinstance(v, Act) else v,
)
def test_an_act_has_the_kind_and_the_file_of_its_behaviour(act, kind, path):
    assert (act.kind, act.path) == (kind, path)


def test_an_event_names_its_peer_and_a_window_its_program():
    act = Act("egress:tcp:a.example.org:443", "curl<sh", "192.0.2.1")
    data = act.event_data(7)
    assert (data["name"], data["address"], data["port"]) == ("a.example.org", "192.0.2.1", 443)
    assert act.use_data() == {"lineage": "curl<sh", "image": "/usr/bin/curl", "address": "192.0.2.1"}
    assert "name" not in Act("egress:tcp:192.0.2.1:443", "curl", "192.0.2.1").event_data(7)
