"""Streams of simulated deployments: repeatable, well-formed, in order, and what the truth says is in them."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from classifier.lab.simulate import FAMILIES, TYPES, Plan, deployment
from wire import codec
from wire.records import Deploy, Event, Gap, Head, Identity, Record, Tick, Window

SHORT = Plan(seed=7, learn_days=4, days=6, attacks=5.0)


def moment(r: Record) -> float:
    """When a record reaches the classifier."""
    if isinstance(r, Deploy):
        return r.received
    if isinstance(r, Identity) and r.ended is not None:
        return r.ended
    return r.end if isinstance(r, Window | Gap) else r.time


def fingerprint(plan: Plan, index: int) -> str:
    stream, truth = deployment(plan, index)
    sum_ = hashlib.sha256(repr(truth).encode())
    for record in stream:
        sum_.update(codec.encode(record))
    return sum_.hexdigest()


def test_a_seed_gives_the_same_bytes_again_and_another_seed_others():
    assert fingerprint(SHORT, 1) == fingerprint(SHORT, 1)
    assert fingerprint(SHORT, 1) != fingerprint(Plan(seed=8, learn_days=4, days=6, attacks=5.0), 1)
    assert fingerprint(SHORT, 1) != fingerprint(SHORT, 2)


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_records_are_well_formed_and_in_order(index):
    last, ids = 0.0, set()
    for r in deployment(SHORT, index)[0]:
        assert codec.decode(codec.encode(r)) == r
        assert moment(r) >= last
        last = moment(r)
        if isinstance(r, Event):
            assert r.id not in ids
            ids.add(r.id)
        if isinstance(r, Window):
            assert all(e in ids for u in r.uses for e in u.evidence)
            assert list(r.uses) == sorted(r.uses, key=lambda u: u.behaviour)
            assert len({u.behaviour for u in r.uses}) == len(r.uses)
    assert isinstance(r, Tick)


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_every_fact_shows_in_the_stream(index):
    stream, truth = deployment(SHORT, index)
    windows = [r for r in stream if isinstance(r, Window)]
    for fact in truth.facts:
        where = [w for w in windows if w.replica in fact.replicas and w.end >= fact.start and w.start <= fact.end]
        shown = {u.behaviour for w in where for u in w.uses}
        assert fact.behaviours and set(fact.behaviours) <= shown, fact


def test_the_stream_begins_with_a_head_per_node():
    stream, _ = deployment(SHORT, 0)
    assert isinstance(next(stream), Head)


def test_attacks_are_asked_for_by_family_and_stealth():
    for family, stealth in itertools.product(FAMILIES, (0, 1, 2)):
        plan = Plan(seed=3, learn_days=5, days=20, attacks=9.0, families=(family,), stealth=(stealth,))
        risky = [f for f in deployment(plan, stealth)[1].facts if f.kind == "risky"]
        assert {(f.family, f.stealth) for f in risky} == {(family, stealth)}


def test_without_attacks_there_is_nothing_risky():
    plan = Plan(seed=5, attacks=0.0, days=10)
    assert not [f for n in range(4) for f in deployment(plan, n)[1].facts if f.kind == "risky"]
