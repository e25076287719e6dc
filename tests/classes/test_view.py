"""What people see of classes, and pins from what they say."""

from __future__ import annotations

import json

import pytest

from classifier.classes.pinning import pin
from classifier.classes.view import listed, one, shared
from classifier.deploys.plain import BadDeploy
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.fixtures import fx2
from tests.fixtures.fleet import at
from wire.records import Pin


def known(*pins: Pin, days: int = 5):
    pipeline = Pipeline(Policy())
    for record in [*fx2.fx2(end=at(days)), *pins]:
        pipeline.feed(record)
    return pipeline.known()


PINNED = Pin(at(5), fx2.RAG, "class", "web-service", "ann", "not an agent")
KNOWN = known(PINNED)


def test_a_row_says_what_holds_who_said_so_and_why():
    code, rag = listed(KNOWN)
    assert (code["class"], code["pinned"], code["since"]) == ("code-execution", None, pytest.approx(at(3), abs=3601))
    assert (rag["class"], rag["proposed"], rag["pinned_by"]) == ("web-service", "read-only-retrieval", "ann")
    assert rag["note"] == "not an agent" and "0 execs a day" in rag["because"]


def test_a_pin_below_what_is_seen_asks_for_a_decision_and_gates_take_the_stricter():
    rag = one(KNOWN, fx2.RAG)
    assert rag["retier_required"] and rag["stricter"] == "read-only-retrieval"
    above = one(known(Pin(at(5), fx2.RAG, "class", "code-execution", "ann")), fx2.RAG)
    assert not above["retier_required"] and above["stricter"] == "code-execution"


def test_a_pin_that_was_taken_back_leaves_the_proposal_and_its_history():
    back = one(known(PINNED, Pin(at(5) + 1, fx2.RAG, "class", "", "bob", "it is one")), fx2.RAG)
    assert back["class"] == "read-only-retrieval" and back["pinned"] is None
    assert [(p["actor"], p["value"]) for p in back["pins"]] == [("ann", "web-service"), ("bob", None)]


def test_every_loser_says_why_it_lost():
    found = one(KNOWN, fx2.CODE)
    best, *others = found["scores"]
    assert best["lost"] == "" and all(s["lost"] for s in others)
    assert "points behind code-execution" in found["scores"][1]["lost"]


def test_a_prior_speaks_only_while_the_envelope_says_little():
    assert one(KNOWN, fx2.CODE)["prior"]["novelty"]["exec"] > 0
    assert one(known(days=21), fx2.CODE)["prior"] is None


def test_a_workload_that_is_only_pinned_is_listed_and_others_are_none():
    found = one(
        known(Pin(1.0, "prod/x/Deployment/new/agent", "class", "tool-user", "ann")), "prod/x/Deployment/new/agent"
    )
    assert found["class"] == "tool-user" and found["because"] == "not seen yet"
    assert one(KNOWN, "nobody") is None


def test_a_baseline_says_whether_it_is_enough():
    found = shared(KNOWN, "code-execution")
    assert (found["workloads"], found["enough"], found["shapes"]) == (1, False, [])
    assert shared(KNOWN, "toaster") is None


@pytest.mark.parametrize("view", [listed, lambda k: one(k, fx2.RAG), lambda k: shared(k, "code-execution")])
def test_every_answer_is_json(view):
    assert json.loads(json.dumps(view(KNOWN)))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(5, "a pin is an object", id="no-object"),
        pytest.param({"workload": "w", "what": "class", "x": 1}, "a pin is an object", id="unknown-field"),
        pytest.param({"what": "class"}, "workload is missing", id="no-workload"),
        pytest.param({"workload": "w"}, "what is missing", id="no-what"),
        pytest.param({"workload": "w", "what": "colour"}, "what is one of", id="unknown-what"),
        pytest.param({"workload": "w", "what": "class", "value": "toaster"}, "class is one of", id="unknown-class"),
        pytest.param({"workload": "w\n", "what": "class"}, "printable", id="hostile-name"),
        pytest.param({"workload": "w", "what": "data", "value": "x" * 600}, "printable text", id="too-long"),
        pytest.param({"workload": "w", "what": "allow", "value": "x"}, "until belongs", id="allowed-for-ever"),
        pytest.param(
            {"workload": "w", "what": "data", "value": "x", "until": 5}, "until belongs", id="until-of-a-label"
        ),
        pytest.param({"workload": "w", "what": "allow", "value": "x", "until": 1e12}, "at most 400 days", id="too-far"),
        pytest.param({"workload": "w", "what": "allow", "value": "x", "until": True}, "until is seconds", id="no-time"),
        pytest.param({"workload": "w", "what": "class", "note": "x" * 5000}, "note is a text", id="long-note"),
    ],
)
def test_a_pin_that_says_nothing_usable_is_refused_with_the_field(body, words):
    with pytest.raises(BadDeploy, match=words):
        pin(body, time=1.0, actor="uid:0")


def test_a_pin_says_who_it_was():
    assert pin({"workload": "w", "what": "class"}, time=1.0, actor="uid:0") == Pin(1.0, "w", "class", "", "uid:0")
    assert (
        pin({"workload": "w", "what": "data", "value": "phi", "actor": "ann"}, time=1.0, actor="uid:0").actor == "ann"
    )
