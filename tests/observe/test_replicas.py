"""What is collected between two windows."""

from sensor.observe import replicas
from sensor.observe.replicas import DETAIL, Observed
from wire.records import Behaviour, CgroupId, Replica


def observed():
    return Observed(Replica("n", CgroupId(1)), slot=1, generation=1, path="/x", since=0.0)


def test_a_drain_takes_all_and_leaves_nothing():
    o = observed()
    for name in ("open:data:/b", "open:data:/a"):
        o.tally(Behaviour(name), 1.0).count += 2
    o.grams += [5, 3, 5]
    o.loss["files"] += 1
    o.loss["paths"] += 0
    uses, grams, loss = o.drain()
    assert [(u.behaviour, u.count, u.first) for u in uses] == [("open:data:/a", 2, 1.0), ("open:data:/b", 2, 1.0)]
    assert (grams, loss) == ((3, 5), {"files": 1})
    assert o.drain() == ((), (), {})


def test_events_of_one_kind_have_a_budget_per_window():
    o = observed()
    assert sum(o.may_show("exec") for _ in range(DETAIL + 9)) == DETAIL
    assert o.may_show("open")
    o.drain()
    assert o.may_show("exec")


def test_past_its_bound_everything_is_new(monkeypatch):
    monkeypatch.setattr(replicas, "SEEN", 2)
    o = observed()
    assert [o.is_new(Behaviour(b)) for b in "aabbcc"] == [True, False, True, False, True, True]
