"""What a workload tells of itself and what was seen of it: one call, one item; contradictions are kept, silence shows."""

from __future__ import annotations

import doctest
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.envelope.state import freeze, thaw
from classifier.inventory import compared
from classifier.inventory.compared import differences, method
from classifier.inventory.feed import GRACE, RECENT, SEEN, SILENCES, WAITING, Feed
from classifier.inventory.history import history
from classifier.inventory.moment import shown
from classifier.inventory.stock import Stock
from classifier.inventory.view import read
from classifier.pipeline import Pipeline
from classifier.policy import DAY, Policy
from tests.factories import SHOP, event, head, identity, use, window
from wire.records import Tick

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01"
OTHER = TRACE.format("1" * 16).replace("4", "5")
MINUTE = 60.0
numbers = iter(range(1, 1 << 20))


def call(source, *, time=100.0, number=1, took=2.0, **data):
    """A model call, as it was told (`otlp`) or seen (`tls`)."""
    basis = "self_reported" if source == "otlp" else "verified"
    values = {
        "model_asked": "gpt-5",
        "began": time - took,
        "ended": time,
        "source": source,
        "basis": basis,
        "role": "client",
    }
    return event(number, "llm", time=time, id=f"n1/{source}/{next(numbers)}", **(values | data))


def told(**data):
    return call("otlp", **data)


def seen(**data):
    return call("tls", **data)


def stock(*records, until=200.0):
    """A stock that took these events, and one idle window at the end."""
    made = Stock()
    for one in records:
        made.note(one, identity(), DAY)
    made.observe(window(1, start=until - 10), identity(), DAY, 30 * MINUTE)
    return made


def names(made, kind="model"):
    return sorted((i.name, i.basis) for i in made.items.values() if i.kind == kind)


def test_examples_in_docstrings_run():
    done = doctest.testmod(compared)
    assert done.failed == 0 and done.attempted > 0


BOTH = {
    "id": ({"response_id": "r1"}, {"response_id": "r1", "began": 0.0, "ended": 1.0}),
    "trace": ({"traceparent": TRACE.format("1" * 16)}, {"traceparent": TRACE.format("2" * 16), "model_asked": "x"}),
    "time and model": ({}, {"began": 98.5, "ended": 99.5}),
    "time": ({"model_asked": "claude"}, {"began": 98.5, "ended": 99.5}),
}


@pytest.mark.parametrize("by", BOTH)
@pytest.mark.parametrize("first", ["seen", "told"])
def test_a_call_that_was_told_and_seen_is_one(by, first):
    a, b = told(**BOTH[by][0]), seen(**{"model_answered": "gpt-5-2026", "tools": "f=ab"} | BOTH[by][1])
    before = seen(time=20.0)  # calls of this replica are seen, so what it tells may wait
    made = stock(before, *((b, a) if first == "seen" else (a, b)))
    assert method(a.data, b.data) == by and made.feed.matched == 1
    assert names(made) == [("gpt-5", "verified"), ("gpt-5-2026", "self_reported")], "as they were seen"
    assert names(made, "tool") == [("f", "verified")] and made.feed.told == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param({"response_id": "r1"}, {"response_id": "r2"}, id="other-ids"),
        pytest.param({}, {"began": 10.0, "ended": 11.0}, id="other-times"),
        pytest.param(
            {"traceparent": TRACE.format("1" * 16)},
            {"traceparent": OTHER},
            id="traces",
        ),
    ],
)
def test_two_calls_are_two(a, b):
    one, other = told(model_answered="m-told", **a), seen(**b)
    assert method(one.data, other.data) is None
    made = stock(other, one)
    assert made.feed.matched == 0 and ("m-told", "self_reported") in names(made)


def test_another_replicas_call_is_another():
    made = stock(seen(number=2, response_id="r1"), told(response_id="r1"))
    assert made.feed.matched == 0


def test_what_was_told_is_evidence_at_once_where_no_call_was_ever_seen():
    made = Stock()
    made.note(told(system="5e1f", tools="f=ab"), identity(), DAY)
    assert names(made) == [("gpt-5", "self_reported")] and not made.feed.waiting
    versions = {i.kind: (i.basis, i.version_basis) for i in made.items.values()}
    assert versions["prompt"] == versions["tool"] == ("self_reported", "self_reported")


def test_where_calls_are_seen_what_was_told_waits_and_is_evidence_if_it_is_not_seen():
    made = stock(seen(time=20.0), told(model_asked="other", time=100.0), until=100.0 + GRACE - 1)
    assert names(made) == [("gpt-5", "verified")] and len(made.feed.waiting) == 1
    made.observe(window(1, start=120.0), identity(), DAY)
    assert names(made) == [("gpt-5", "verified"), ("other", "self_reported")] and not made.feed.waiting


# conflicts ------------------------------------------------------------------------------------------------------------

CALLS = json.dumps([{"name": "search", "index": 0}])


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({"model_asked": "openai/gpt-5"}, {}, [], id="a-gateways-name"),
        pytest.param({"model_asked": "gpt-4"}, {}, [("model_asked", "gpt-4", "gpt-5")], id="model"),
        pytest.param({"model_answered": "a"}, {"model_answered": "b"}, [("model_answered", "a", "b")], id="answered"),
        pytest.param({"host": "api.x.org"}, {"host": "API.x.org:443"}, [], id="the-same-host"),
        pytest.param({"host": "api.x.org"}, {"host": "evil.org"}, [("host", "api.x.org", "evil.org")], id="host"),
        pytest.param({"answer": "1", "calls": CALLS}, {"answer": "1", "calls": CALLS}, [], id="the-same-tools"),
        pytest.param({"answer": "1"}, {"answer": "2", "calls": CALLS}, [("tools", "none", "search")], id="tools"),
        pytest.param({}, {"answer": "2", "calls": CALLS}, [], id="no-answer-told"),
        pytest.param({"answer": "1", "calls": "{"}, {"answer": "1", "calls": "[[]"}, [], id="no-json"),
    ],
)
def test_what_was_told_otherwise_than_it_was_seen_is_a_conflict(a, b, wanted):
    one, other = told(response_id="r", **a), seen(response_id="r", **b)
    assert list(differences(one.data, other.data)) == wanted
    made = stock(other, one)
    assert [(c.what, c.told, c.seen) for c in made.feed.recent] == wanted
    assert all((c.by, c.claim, c.evidence) == ("id", one.id, other.id) for c in made.feed.recent)


def test_calls_at_one_time_are_paired_and_nothing_is_concluded():
    made = stock(seen(host="a"), seen(host="b"), told(host="c"), told(host="d"))
    assert made.feed.matched == 2 and made.feed.recent[1:] == []


def test_of_several_calls_for_other_models_none_is_taken():
    made = stock(seen(model_asked="a"), seen(model_asked="b"), told(model_asked="c"))
    assert made.feed.matched == 0


def test_a_tool_call_under_another_name_contradicts():
    one = event(1, "tool", "tool:f", time=99.0, name="f", id_="c1", source="tls")
    one = event(1, "tool", "tool:f", time=99.0, id="n1/e1/7", name="f", source="tls")
    made = Stock()
    made.note(_with_id(one, "c1"), identity(), DAY)
    claims = [
        _with_id(event(1, "tool", time=100.0, id=f"x{n}", name=name, source="otlp"), "c1")
        for n, name in enumerate("fg")
    ]
    for claim in claims:
        made.note(claim, identity(), DAY)
    assert made.feed.conflicts == {"tool": 1} and names(made, "tool") == [("f", "verified")]


def _with_id(one, id_):
    from dataclasses import replace

    return replace(one, data={**one.data, "id": id_})


def test_who_calls_itself_another_is_counted():
    made = stock(told(conflict="service.name k8s.pod.uid", service="pay"), told(conflict="service.name", service="pay"))
    assert made.feed.conflicts == {"service.name": 2, "k8s.pod.uid": 1}
    assert made.feed.recent[0].by == "kernel" and made.feed.recent[0].told == "pay"


# silence --------------------------------------------------------------------------------------------------------------


def running(made, start, end, *behaviours, number=1):
    for at in range(int(start), int(end), 60):
        made.observe(window(number, *behaviours, start=float(at), length=60.0), identity(number), DAY, 30 * MINUTE)


def at(made, time):
    return shown(history(made, SHOP, time, DAY), time)


def test_a_feed_that_stops_while_calls_are_seen_is_silent_until_it_speaks_again():
    made = stock(told(time=100.0))
    running(made, 120, 100 + 29 * MINUTE, "open:x:/a")
    assert made.feed.silences == [] and at(made, 1800.0)["feed"]["state"] == "talking"
    running(made, 100 + 29 * MINUTE, 3600, use("egress:tcp:api.openai.com:443"))
    found = at(made, 3600.0)
    assert found["feed"]["state"] == "silent" and found["feed"]["quiet"][0]["since"] == 100.0
    assert "feed_silent" in found["unknown"] and not found["complete"]
    made.note(told(time=4000.0), identity(), DAY)
    running(made, 4000, 4100, "open:x:/a")
    assert at(made, 4100.0)["feed"]["state"] == "talking" and at(made, 3600.0)["feed"]["state"] == "silent"
    assert made.feed.silences[0].until == 4000.0


def test_where_nothing_was_seen_that_it_would_have_told_it_is_quiet():
    made = stock(told(time=100.0))
    running(made, 120, 4000, "open:x:/a")
    found = at(made, 4000.0)
    assert found["feed"]["state"] == "quiet" and "feed_silent" not in found["unknown"]


def test_a_call_that_is_seen_makes_quiet_silence():
    made = stock(told(time=100.0))
    running(made, 120, 3000, "open:x:/a")
    made.note(seen(time=3010.0), identity(), DAY)
    assert made.feed.silences[0].calls == 1


@pytest.mark.parametrize("case", ["idle", "ended", "never-told"])
def test_who_does_nothing_is_gone_or_never_told_is_not_silent(case):
    made = stock(*([] if case == "never-told" else [told(time=100.0)]))
    if case == "ended":
        made.end(identity().replica, 130.0)
    running(made, 140, 5000, *(["open:x:/a"] if case != "idle" else []))
    assert made.feed.silences == []


def test_each_replica_is_silent_by_itself():
    made = stock(told(time=100.0), told(time=100.0, number=2))
    for start in range(120, 4000, 60):
        running(made, start, start + 60, "open:x:/a")
        made.note(told(time=start + 30.0, number=2), identity(2), DAY)
        running(made, start, start + 60, "open:x:/a", number=2)
    assert [s.replica.cgroup for s in made.feed.silences] == [1]


# bounds and state -------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_bounded():
    made = Feed()
    for n in range(2 * WAITING):
        made.take(seen(time=100.0 + n * 10, response_id=f"s{n}"))
        made.take(told(time=100.0 + n * 10, response_id=f"t{n}", conflict=f"k{n}"))
        made.runs(identity(n).replica, 1e9, calls=True, patience=1.0)
        made.take(told(number=n, time=5.0))
        made.runs(identity(n).replica, 1e9, calls=True, patience=1.0)
    assert len(made.seen) <= SEEN and len(made.waiting) <= WAITING and len(made.conflicts) <= 16
    assert len(made.recent) == RECENT and len(made.silences) == SILENCES


def test_of_a_call_no_more_is_kept_than_is_compared():
    long = json.dumps([{"name": "n" * 100}] * 50)
    made = stock(seen(history="h" * 9000, tools="f=ab", calls=long, answer="a"), until=101.0)
    (kept,) = made.feed.seen.values()
    assert len(str(kept.data)) < 300 and not {"history", "tools", "calls", "answer"} & kept.data.keys()


def test_a_feed_comes_back_from_a_snapshot_and_travels_to_whoever_asks():
    made = stock(seen(response_id="r"), told(response_id="r", model_asked="x"), told(time=110.0))
    again = thaw(freeze(made))
    assert again == made and freeze(again) == freeze(made)
    plain = json.loads(json.dumps(_plain(made)))
    assert read(plain).feed.conflicts == {"model_asked": 1}


def _plain(made):
    import msgspec

    return msgspec.to_builtins(history(made, SHOP, 200.0, DAY))


def test_what_was_told_before_the_owner_had_a_name_is_the_owners():
    one, other = stock(told(time=50.0)), stock(told(time=100.0), told(time=101.0, conflict="service.name"))
    one.adopt(other)
    assert one.feed.told == 3 and one.feed.conflicts == {"service.name": 1}


def test_a_tool_call_that_was_seen_before_the_owner_had_a_name_is_cited_all_the_same():
    """Its name was kept and its event was not: the contradiction cited one side alone."""
    one, other = (
        stock(),
        stock(_with_id(event(1, "tool", "tool:f", time=99.0, id="n1/e1/7", name="f", source="tls"), "c1")),
    )
    one.adopt(other)
    one.note(_with_id(event(1, "tool", time=100.0, id="x1", name="g", source="otlp"), "c1"), identity(), DAY)
    [conflict] = one.feed.fresh
    assert (conflict.claim, conflict.evidence) == ("x1", "n1/e1/7")


def test_what_many_told_before_their_owner_had_a_name_is_bounded():
    one = stock()
    for turn in range(2):
        one.adopt(stock(*(seen(time=100.0 + n, response_id=f"{turn}/{n}") for n in range(SEEN))))
    assert len(one.feed.seen) == SEEN


def test_the_pipeline_tells_the_same_however_often_it_is_stored():
    records = [head(), identity(), Tick("n1", 1.0)]
    for n in range(40):
        records.append(told(time=100.0 + 60 * n, response_id=f"r{n}", host="a") if n < 3 else seen(time=100.0 + 60 * n))
        records.append(seen(time=100.0 + 60 * n, response_id=f"r{n}", host="b"))
        records += [window(1, "open:x:/a", start=60.0 * n, length=60.0), Tick("n1", 60.0 * n + 60)]
    whole, cut = Pipeline(Policy()), Pipeline(Policy())
    for one in records:
        whole.feed(one)
        cut.feed(one)
        cut = Pipeline.restore(Policy(), cut.snapshot())
    assert whole.snapshot() == cut.snapshot()
    feed = whole.known().inventories[SHOP].feed
    assert (feed.told, feed.matched, feed.conflicts) == (3, 3, {"host": 3}) and len(feed.silences) == 1


FIELDS = st.sampled_from(
    "response_id traceparent began ended model_asked host calls answer conflict role name id".split()
)


VALUES = st.dictionaries(FIELDS, st.text(max_size=5) | st.floats() | st.integers(), max_size=6)
EVENTS = st.tuples(st.sampled_from(["otlp", "tls"]), st.sampled_from(["llm", "tool", "mcp"]), VALUES)


@given(st.lists(EVENTS, max_size=6))
def test_events_of_any_shape_break_nothing(found):
    made = Stock()
    for n, (source, kind, data) in enumerate(found):
        id_ = data.pop("id", None)
        one = event(1, kind, time=float(n), id=f"e{n}", **({"source": source} | data))
        made.note(one if id_ is None else _with_id(one, id_), identity(), DAY)
    made.observe(window(1, start=100.0), identity(), DAY, 10.0)
    assert at(made, 110.0)["feed"] is None or made.feed.last
