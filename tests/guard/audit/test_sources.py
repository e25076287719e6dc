"""A replayed stream answers as a running classifier does."""

from classifier.pipeline import Pipeline
from classifier.policy import Policy
from guard.audit.sources import Replayed
from tests.factories import SHOP, event, head, identity, replica, window
from wire.records import Gap, Tick


def source():
    told = Replayed(Pipeline(Policy()))
    for record in (head(), identity(1), identity(2, workload="lab/other/Deployment/x/x")):
        told.take(record)
    for start in (0.0, 10.0, 20.0):
        for number in (1, 2):
            told.take(window(number, "exec:/bin/a", start=start))
            told.take(event(number, id=f"n1/e1/{start}-{number}", time=start))
        told.take(Tick("n1", start + 10.0))
    return told


def test_entries_come_in_order_and_go_when_they_are_written():
    told = source()
    told.take(Gap("n1", 1.0, 2.0, "x"))
    assert [(e.seq, e.key) for e in told.fed(0, 9)] == [(1, "record/1"), (2, "record/19")]
    told.fed_until(1)
    assert [e.seq for e in told.fed(0, 9)] == [2] and told.waiting
    told.fed_until(2)
    assert not told.waiting


def test_a_head_says_when_its_node_was_heard_last():
    told = source()
    told.take(head(epoch="e2", time=90.0))
    assert [e.since for e in told.fed(0, 9)] == [None, 30.0]


def test_events_are_found_by_replica_and_span_and_owner():
    told = source()
    assert [e.time for e in told.told_between(replica(1), 5.0, 25.0, 9)] == [10.0, 20.0]
    assert told.owner(told.event("n1/e1/0.0-1")) == SHOP and told.event("nobody") is None
    assert told.owner(event(77)) == ""


def test_replicas_are_those_that_ran_then():
    told = source()
    assert told.replicas(SHOP, 5.0, 15.0) == [replica(1)]
    assert told.replicas(SHOP, 500.0, 600.0) == [] and told.replicas("nobody", 0.0, 9.0) == []


def test_what_held_is_told_and_what_is_not_known_says_so():
    held = source().situation(SHOP, 25.0)
    assert held["versions"]["revision"] == "r1" and held["versions"]["model"] == "unknown"
    assert held["envelope_state"] and held["read_at"] == 30.0
    assert source().situation("nobody", 25.0)["inventory_lacks"] == ["never_observed"]
