"""Whose a record is, and what happens while nobody knows."""

from __future__ import annotations

from dataclasses import replace

from classifier.attribution import Attribution, Owner
from tests.classifier.story import born
from tests.factories import SHOP, identity, window


def test_record_waits_for_its_identity_and_comes_back_in_order():
    a = Attribution(5.0, 10)
    records = [window(1, start=float(n)) for n in range(3)]
    assert [a.owner(r) for r in records] == [None] * 3
    assert a.learn(identity(1)) == records and a.owner(records[0]) == Owner(SHOP, "r1") and a.waiting == 0


def test_nameless_identity_keeps_records_waiting():
    a = Attribution(5.0, 10)
    assert a.owner(window(1)) is None and a.learn(identity(1, workload=None)) == [] and a.waiting == 1
    assert len(a.learn(identity(1))) == 1


def test_later_nameless_identity_takes_no_name_back():
    a = Attribution(5.0, 10)
    a.learn(identity(1))
    a.learn(identity(1, workload=None, time=9.0))
    assert a.owner(window(1)).workload == SHOP


def test_wait_ends_in_event_time_of_the_own_node():
    a = Attribution(5.0, 10)
    a.owner(window(1))  # ends at 10
    assert a.expire("n2", 99.0) == [] == a.expire("n1", 14.0)
    (record,) = a.expire("n1", 15.1)
    assert a.owner(record).workload == "unresolved:1"


def test_named_after_all_the_rest_is_attributed():
    a = Attribution(5.0, 10)
    a.owner(window(1))
    a.expire("n1", 99.0)
    a.learn(identity(1))
    assert a.owner(window(1, start=100.0)).workload == SHOP


def test_same_cgroup_id_on_two_nodes_is_not_one_workload():
    a = Attribution(5.0, 10)
    one, two = window(7), window(7).__class__(born(7, node="n2").replica, 0.0, 10.0)
    a.owner(one), a.owner(two)
    a.expire("n1", 99.0), a.expire("n2", 99.0)
    assert a.owner(one).workload == "unresolved:7" != a.owner(two).workload


def test_waiting_room_is_bounded_and_counts_what_it_turns_away():
    a = Attribution(5.0, 3)
    for n in range(10):
        a.owner(window(n))
    assert (a.waiting, a.dropped) == (3, 7)


def test_what_found_no_room_comes_back_as_a_loss_of_its_owner():
    """It was a number in the metrics only: the envelope of its owner could call itself converged without it."""
    a = Attribution(5.0, 1)
    for record in (window(1), window(2), window(2, start=10.0)):
        a.owner(record)
    (lost,) = a.learn(identity(2))
    assert (lost.start, lost.end, lost.loss) == (0.0, 20.0, {"no room to wait for its owner": 2})
    assert a.learn(identity(2)) == [] and a.away == {}


def test_a_loss_of_nobody_is_told_when_the_wait_is_over():
    a = Attribution(5.0, 1)
    for record in (window(1), window(2)):
        a.owner(record)
    assert a.learn(identity(1)) and a.waiting == 0
    assert a.expire("n1", 14.0) == []
    (lost,) = a.expire("n1", 15.1)
    assert lost.partial and a.owner(lost).workload == "unresolved:2"


def test_identities_of_what_is_long_gone_are_forgotten():
    a = Attribution(5.0, 3)
    a.learn(identity(1, ended=5.0))
    a.learn(identity(2))
    a.forget(6.0)
    assert [r.cgroup for r in a.identities] == [2]


def test_cgroups_that_ended_unnamed_are_forgotten_too():
    """What was given up stayed for good: every cgroup that nobody names cost memory until the restart (#2)."""
    a = Attribution(5.0, 10)
    for n in range(5):
        a.owner(window(n))
        a.learn(replace(identity(n, workload=None), ended=20.0))
    a.expire("n1", 99.0)
    a.forget(before=50.0)
    assert (a.given_up, a.identities) == ({}, {})
