"""Attacks: each family does what it is called, and as hidden as it is told."""

from __future__ import annotations

import re

import pytest

from classifier.lab import hands, thefts
from classifier.lab.attacks import FAMILIES
from classifier.lab.fleet import arrival
from classifier.lab.simulate import Plan, deployment
from wire.records import Deploy, Event, Window

SHELL = re.compile(r"exec:(/usr)?/bin/(ba|da)?sh<")
SEVERE = re.compile(r"identity:|open:secret:|syscall:|exec:(/tmp|/var/tmp|/dev/shm|memfd)|egress:tcp:[\d.]+:\d+$")
TOOLS = {f"/usr/bin/{t}" for t in (*hands.TOOLS, *hands.RECON)}


def struck(family: str, stealth: int, seeds=range(3), attacks: float = 6.0):
    """Streams with their risky facts."""
    for seed in seeds:
        plan = Plan(seed=seed, learn_days=6, days=14, attacks=attacks, families=(family,), stealth=(stealth,))
        stream, truth = deployment(plan, seed + stealth)
        yield list(stream), [f for f in truth.facts if f.kind == "risky"], truth


@pytest.mark.parametrize("family", FAMILIES)
def test_at_stealth_two_nothing_severe_is_done(family):
    for _, facts, _ in struck(family, 2):
        for b in (b for f in facts for b in f.behaviours):
            assert not SHELL.match(b) and not SEVERE.match(b)
            assert not b.startswith("exec:") or b[5:].partition("<")[0] not in TOOLS


@pytest.mark.parametrize("family", ["remote-code-execution", "at-deploy", "all-replicas", "escape", "new-binary"])
def test_at_stealth_zero_there_is_a_shell(family):
    facts = [f for _, found, _ in struck(family, 0) for f in found]
    assert facts and all(any(SHELL.match(b) for b in f.behaviours) for f in facts)


def test_no_fact_of_an_attack_names_a_deploy_as_its_cause():
    assert not [f for family in FAMILIES for _, found, _ in struck(family, 1, range(1)) for f in found if f.deploy]


def test_an_attack_at_deploy_begins_minutes_after_its_replica():
    from wire.records import Identity

    for stream, facts, _ in struck("at-deploy", 1):
        born = {r.replica: r.time for r in stream if isinstance(r, Identity) and r.ended is None}
        near = [f.start - born[f.replicas[0]] < 1300 for f in facts]
        assert sum(near) >= 0.7 * len(near)


def test_all_replicas_do_the_same():
    found = [f for _, facts, _ in struck("all-replicas", 1) for f in facts]
    assert any(len(f.replicas) > 1 for f in found)


def test_a_declared_scope_never_names_what_a_tampered_package_does():
    from fnmatch import fnmatchcase

    for stream, facts, _ in struck("tampered-dependency", 1):
        patterns = {p for r in stream if isinstance(r, Deploy) for p in r.scope}
        peers = [b for f in facts for b in f.behaviours if b.startswith("egress:")]
        assert not [b for b in peers if any(fnmatchcase(b, p) for p in patterns if p == b)]


def test_a_forged_event_has_no_weight_and_comes_before_what_it_covers():
    for stream, facts, _ in struck("forged-deploy", 0):
        forged = [r for r in stream if isinstance(r, Deploy) and (r.refused or r.trust == "none")]
        assert len(forged) >= len(facts) > 0
        assert all(any(arrival(d) <= f.start for d in forged) for f in facts)


def test_poisoning_begins_while_the_workload_is_learned():
    found = [(f, truth) for _, facts, truth in struck("poisoning", 1) for f in facts]
    assert found and all(f.start < truth.judged_from <= f.end for f, truth in found)


def test_theft_through_a_learned_peer_shows_as_more_bytes_of_it():
    for stream, facts, _ in struck("sanctioned-channel", 0, attacks=2.0):
        windows = [w for w in stream if isinstance(w, Window)]
        for f in facts:
            name = f.behaviours[-1]
            sizes = [(w.start, u.bytes_out) for w in windows for u in w.uses if u.behaviour == name]
            within = [n for t, n in sizes if f.start - 3600 <= t <= f.end]
            usual = sorted(n for t, n in sizes if t < f.start - 3600)
            assert not usual or max(within) > usual[len(usual) // 2]


def test_the_learned_peers_of_a_theft_are_known_before():
    assert thefts.staging.__doc__ and "allowed" in thefts.staging.__doc__
    for stream, facts, truth in struck("sanctioned-channel", 1):
        early = {e.behaviour for e in stream if isinstance(e, Event) and e.time < truth.judged_from}
        assert all(set(f.behaviours) <= early for f in facts)


def test_without_a_change_to_hide_behind_one_is_made():
    for stream, facts, _ in struck("prompt-residue", 1):
        assert not facts or any(isinstance(r, Deploy) and r.kind == "prompt" for r in stream)
