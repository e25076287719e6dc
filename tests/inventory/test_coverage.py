"""Whose words were read when: by process and moment, with the reason, through restarts of rungs, within bounds."""

from __future__ import annotations

import pytest

from classifier.envelope.state import freeze, thaw
from classifier.inventory.coverage import BEFORE, NOW, UNHEARD, Stands, unread
from classifier.inventory.history import history
from classifier.inventory.manifest import checked
from classifier.inventory.moment import shown
from classifier.inventory.stock import Stock
from classifier.inventory.view import listed, rungs
from classifier.metrics import Metrics
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.factories import SHOP, event, head, identity, window
from wire.records import Tick

DAY = 86400.0
WHY = "/app/x: TLS is in it with no functions by symbol, and it has no build id"


def stands(rung, *, time=10.0, pid=7, number=1, source="tls", **data):
    reason = "" if rung == "symbol" else WHY
    values = {"rung": rung, "reason": reason, "library": "/app/x", "image": "/app/x", "pid": pid, "source": source}
    return event(number, "coverage", time=time, id=f"n1/e1/{time}/{pid}{source}", **(values | data))


def stock(*records, until=200.0):
    made = Stock()
    for one in records:
        made.note(one, identity(), DAY)
    made.observe(window(1, start=until - 10), identity(), DAY, DAY)
    return made


def at(made, time):
    return shown(history(made, SHOP, 200.0, DAY), time)


def test_an_uncovered_process_is_named_with_its_reason_and_the_inventory_is_not_complete():
    found = at(stock(stands("uncovered")), 100.0)
    assert found["coverage"]["state"] == "uncovered" and found["coverage"]["unread"] == 1
    [row] = found["coverage"]["processes"]
    assert (row["pid"], row["rung"], row["reason"], row["read"]) == (7, "uncovered", WHY, False)
    assert not found["complete"] and found["unknown"] == ["uncovered"]
    assert found["kinds"]["model"] == found["kinds"]["mcp"] == "unknown(uncovered)"
    assert found["kinds"]["framework"] == "absent"  # the kernel sees opens of all processes


def test_a_covered_one_makes_nothing_unknown():
    found = at(stock(stands("symbol")), 100.0)
    assert found["complete"] and found["coverage"]["state"] == "covered" and found["kinds"]["model"] == "absent"


@pytest.mark.parametrize(
    ("time", "state"),
    [(5.0, "unknown(not_captured)"), (15.0, "uncovered"), (25.0, "covered"), (150.0, "unknown(not_captured)")],
)
def test_each_moment_has_its_own_answer(time, state):
    made = stock(event(1, "exec", time=1.0, pid=7), stands("uncovered"), stands("symbol", time=20.0),
                 event(1, "exit", time=100.0, pid=7))  # fmt: skip
    assert at(made, time)["coverage"]["state"] == state


def test_a_replica_that_tells_of_itself_is_read_in_part_at_least():
    found = at(stock(stands("uncovered"), stands("otlp", pid=0, source="otlp")), 100.0)
    assert found["coverage"]["state"] == "covered" and found["complete"]


def test_a_process_without_tls_is_no_gap():
    assert at(stock(stands("none")), 100.0)["coverage"]["processes"] == []


def test_the_end_of_a_replica_ends_all_its_processes():
    made = stock(stands("uncovered"), stands("symbol", pid=8))
    made.end(identity().replica, 120.0)
    assert {s.until for s in made.stands.every()} == {120.0} and not made.stands.here


def test_what_is_kept_is_bounded_and_says_so():
    made = Stands()
    for pid in range(NOW + 5):
        made.note(stands("uncovered", pid=pid + 1, reason="x" * 9999))
    assert len(made.here) == NOW and made.crowded == 5 and len(next(made.every()).reason) == 1024
    for turn in range(BEFORE + 9):
        made.note(stands("symbol", pid=1, time=20.0 + turn))
    assert len(made.before) == BEFORE
    assert thaw(freeze(made)) == made


def test_what_found_no_room_when_its_owner_got_a_name_is_counted_too():
    one, two = Stands(), Stands()
    for pid in range(1, NOW + 1):
        one.note(stands("symbol", pid=pid))
        two.note(stands("uncovered", pid=NOW + pid))
    one.adopt(two)
    assert len(one.here) == NOW and one.crowded == NOW


def test_two_stocks_of_one_workload_become_one():
    one, two = stock(stands("uncovered")), stock(stands("symbol", pid=9))
    one.adopt(two)
    assert {s.pid for s in unread(one.stands.every())} == {7} and len(one.stands.here) == 2


def test_declared_and_not_seen_stays_unknown_where_calls_are_not_read():
    past = history(stock(stands("uncovered")), SHOP, 200.0, DAY)
    rows = {
        r["declared"]: r["status"] for r in checked(past, {"mcp_servers": ["git"], "frameworks": ["crewai"]}, 150.0)
    }
    assert rows == {"git": "unknown(uncovered)", "crewai": "never_loaded"}


class Core:
    """As much of a classifier as its metrics read."""

    def __init__(self, known):
        self._known = known

    def told(self, view):
        return view(self._known)


def test_workload_envelope_and_metrics_say_it():
    pipeline = Pipeline(Policy())
    for record in (head(), identity(), stands("uncovered"), window(1, "open:x", start=10.0), Tick("n1", 30.0)):
        pipeline.feed(record)
    [status] = pipeline.workloads()
    assert f"process 7 (/app/x) is uncovered: {WHY}" in status.blind_spots and UNHEARD in status.blind_spots
    assert UNHEARD in pipeline.envelope(SHOP).blind_spots
    assert listed(pipeline.known())[0]["unread"] == [f"process 7 (/app/x) is uncovered: {WHY}"]
    assert rungs(pipeline.known()) == ({"uncovered": 1}, {SHOP: 1})
    pipeline.feed(stands("symbol", time=31.0))
    assert not any("process 7" in s for s in pipeline.workloads()[0].blind_spots)
    assert rungs(pipeline.known()) == ({"symbol": 1}, {})


def test_the_metrics_page_counts_them():
    pipeline = Pipeline(Policy())
    for record in (head(), identity(), stands("uncovered")):
        pipeline.feed(record)
    found = {
        m.name: [(s.labels, s.value) for s in m.samples] for m in Metrics(Core(pipeline.known()), float, {}).coverage()
    }
    assert found["driftline_coverage"] == [({"rung": "uncovered"}, 1)]
    assert found["driftline_uncovered"] == [({"workload": SHOP}, 1)]
