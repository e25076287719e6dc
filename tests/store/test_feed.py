"""The feed holds what an audit trail is written from: once, in order, whatever comes again."""

from dataclasses import replace

import pytest

from classifier.settings import Retention
from classifier.store import feed
from classifier.store.store import Store
from tests.factories import deploy, event, head, replica
from tests.store.test_store import FINDING, frame
from wire import codec
from wire.records import Gap, Pin, Tick, Triage


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "c.db", Retention())
    yield store
    store.close()


def fed(store, after=0):
    return [e.key for e in store.fed(after, 100)]


def test_a_version_is_fed_once_and_a_higher_count_again(store):
    for finding in (FINDING, FINDING, replace(FINDING, count=9), replace(FINDING, version=2, count=9), FINDING):
        store.keep_findings([finding])
    assert fed(store) == ["finding/f1/1/1", "finding/f1/1/9", "finding/f1/2/9"]
    assert [e.seq for e in store.fed(0, 100)] == [1, 2, 3]


def test_a_snapshot_feeds_the_findings_it_writes(store):
    store.snapshot(0, b"", [FINDING], now=0.0)
    assert fed(store) == ["finding/f1/1/1"]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        pytest.param(Gap("n1", 1.0, 2.0, "ring full"), True, id="gap"),
        pytest.param(head(), True, id="head"),
        pytest.param(Pin(1.0, "w", "class", "x", "ada"), True, id="pin"),
        pytest.param(Triage(1.0, "f1", "accept", "ada"), True, id="triage"),
        pytest.param(deploy(refused="bad signature"), True, id="refused-deploy"),
        pytest.param(deploy(), False, id="deploy"),
        pytest.param(event(kind="coverage", rung="symbol"), True, id="coverage"),
        pytest.param(event(), False, id="exec"),
        pytest.param(Tick("n1", 1.0), False, id="tick"),
    ],
)
def test_records_that_stand_by_themselves_are_fed(store, record, told):
    store.accept([frame(record, 1)])
    assert [codec.decode(e.body) for e in store.fed(0, 9)] == ([record] if told else [])


def test_a_head_is_fed_with_the_last_tick_of_its_node(store):
    store.accept([frame(Tick("n1", 7.0), 1), frame(Tick("n2", 9.0), 1, node="n2"), frame(head(epoch="e2"), 2)])
    assert [e.since for e in store.fed(0, 9)] == [7.0]


def test_the_feed_is_bounded_and_a_hole_shows(store, monkeypatch):
    monkeypatch.setattr(feed, "KEPT", 2)
    for n in range(1, 6):
        store.keep_findings([replace(FINDING, version=n)])
    store.snapshot(0, b"", [], now=0.0)
    assert [e.seq for e in store.fed(0, 100)] == [4, 5]


def test_events_of_a_replica_come_from_journal_and_evidence(store):
    store.accept([frame(event(n % 2, id=f"n1/e1/{n}", time=float(n)), n) for n in range(1, 12)])
    store.snapshot(5, b"", [], now=5.0)
    assert [e.time for e in store.told_between(replica(1), 2.0, 8.0, 10)] == [3.0, 5.0, 7.0]
    assert [e.time for e in store.told_between(replica(1), 2.0, 8.0, 2)] == [3.0, 5.0]
    assert [e.time for e in store.told_between(replica(1), 2.0, 8.0, 2, latest=True)] == [5.0, 7.0]
    assert store.told_between(replica(9), 0.0, 99.0, 10) == []


def test_what_an_audit_trail_holds_leaves_the_feed_and_numbers_go_on(store):
    store.keep_findings([FINDING])
    store.fed_until(1)
    store.keep_findings([FINDING, replace(FINDING, version=2)])
    assert [(e.seq, e.key) for e in store.fed(0, 9)] == [(2, "finding/f1/1/1"), (3, "finding/f1/2/1")]
