"""What a row has of each layer is what its records show; a chain is tied by ids, or says that only time ties it."""

import pytest

from classifier.links.edges import NOT_CAPTURED, Chain, Trigger
from classifier.links.road import of_list, road
from guard.audit.chain import EDGES, ordering, plain, trigger
from guard.audit.explain import deviating, known_then, share, used, within
from guard.audit.layers import completeness, layers
from guard.audit.page import text
from tests.factories import SHOP, event, replica, use, window
from tests.guard.audit.trail import BUCKET, finding, story

BARE = Chain(Trigger(NOT_CAPTURED), (), ())
ALL_ON = {"n1": [["process", "on", []], ["network", "stand-in", []]]}


def states(events=(), behaviours=(), probes=None, rungs=None):
    found = layers(events, behaviours, BARE, probes=probes or {}, rungs=rungs or {})
    return {name: (layer["state"], layer["reason"]) for name, layer in found.items()}


def test_a_socket_with_its_program_is_of_two_layers():
    found = layers(story(words=False), [BUCKET], BARE, probes={}, rungs={})
    assert [layer["state"] for layer in found.values()] == ["present", "present", "missing", "missing"]
    assert completeness(found) == "2/4"


@pytest.mark.parametrize(
    ("layer", "given", "state", "reason"),
    [
        pytest.param("kernel", {}, "unknown", "no sensor", id="nobody-said"),
        pytest.param("kernel", {"probes": ALL_ON}, "missing", "watched", id="watched-and-nothing"),
        pytest.param("network", {"probes": {"n1": [["process", "on", []]]}}, "missing", "not watched on n1", id="off"),
        pytest.param("prompt", {}, "missing", "no feed", id="no-feed"),
        pytest.param("tools", {"rungs": {"r": {"rung": "uncovered", "reason": "static"}}}, "missing", "static", id="bad-rung"),
        pytest.param("prompt", {"rungs": {"r": {"rung": "symbol"}}}, "missing", "read, and nothing", id="read-and-nothing"),
    ],
)  # fmt: skip
def test_a_layer_without_records_says_why(layer, given, state, reason):
    found = states(**given)[layer]
    assert found[0] == state and reason in found[1]


def test_what_an_agent_says_of_itself_is_marked():
    said = event(kind="llm", basis="self_reported", partial="gap")
    found = layers([said], [], BARE, probes={}, rungs={})["prompt"]
    assert (found["state"], found["basis"], found["reason"]) == ("present", "self_reported", "1 of 1 captured in part")


def led(events, evidence, span):
    counted = [{"behaviour": BUCKET, "first": span[0], "last": span[1]}]
    asked = {"workload": SHOP, "evidence": evidence, "deviations": counted}
    return road(asked, *of_list(events), lambda *_: [replica(1)])


def test_a_chain_by_ids_has_its_trigger_and_one_by_time_its_mark():
    by_id = led(story(), ["n1/e1/9"], (100.0, 112.0))
    assert trigger(by_id[0])["state"] == "captured" and plain(*by_id)["joined"]["by"] == "evidence"
    by_time = led(story()[:2], [], (100.0, 112.0))
    assert trigger(by_time[0])["state"] == "inferred" and ordering(by_time[0])["by_time"] >= 1
    nothing = led(story()[2:], ["n1/e1/9"], (100.0, 112.0))
    assert trigger(nothing[0])["state"] == "not_captured" and len(plain(*nothing)["edges"]) <= EDGES


def test_a_row_says_how_far_was_looked():
    looked = plain(*led(story(), ["n1/e1/9"], (100.0, 112.0)))["looked"]
    assert looked["from"] < 98.0 and looked["until"] > 112.0 and looked["events"] == 3 and looked["why"]
    row = {"kind": "finding", "chain": {"looked": looked}, "trigger": {"state": "captured", "excerpt": "x", "turns": 4}}
    page = " ".join(text(row).split())
    assert f"3 records; {looked['why']}" in page and "3 other turns show it" in page


# a minute ---------------------------------------------------------------------------------------------------------------


def test_uses_are_held_against_the_envelope_and_the_findings():
    known = {"behaviours": [{"behaviour": "exec:/a", "state": "admitted", "because": "b", "count": 9, "days": 3},
                            {"behaviour": "exec:/p", "state": "provisional", "because": "", "count": 1, "days": 1},
                            {"behaviour": BUCKET, "state": "admitted", "because": "", "count": 9, "days": 3}]}  # fmt: skip
    uses = used([window(1, use("exec:/a", 6), use("exec:/p", 2), use("exec:/n"), use(BUCKET))], known,
                deviating([finding()], 110.0))  # fmt: skip
    assert {u.behaviour: u.explained for u in uses} == {
        "exec:/a": True,
        "exec:/p": False,
        "exec:/n": False,
        BUCKET: False,
    }
    assert share(uses) == 0.6 and share([]) is None
    assert "f00d" in next(u.because for u in uses if u.behaviour == BUCKET)


def test_only_the_minute_around_a_moment_counts():
    windows = [window(1, start=float(n)) for n in range(0, 200, 10)]
    assert [w.start for w in within(windows, 100.0)] == [70.0, 80.0, 90.0, 100.0, 110.0, 120.0]
    assert deviating([finding()], 900.0) == {}


def test_what_was_known_at_a_moment_was_seen_before_and_after():
    rows = [{"behaviour": b, "first": f, "last": t, "count": 1} for b, f, t in (("a", 0, 9), ("b", 5, 9), ("c", 0, 3))]
    assert [row["behaviour"] for row in known_then({"behaviours": rows}, 4.0)] == ["a"]
