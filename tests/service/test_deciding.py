"""What a person sees of a finding in the running classifier, and what it takes to decide about it."""

from __future__ import annotations

import pytest

from tests.classifier.story import ATTACK, days, learned, play


def story():
    return [*learned(1, 2), *days(40, 50, 1, 2, uses={1: ATTACK})]


@pytest.fixture
def running(daemon):
    d = daemon().start()
    d.send(story())
    d.finding = d.get("/findings")[1][0]["id"]
    return d


def test_replicas_of_a_finding_are_told_as_a_replay_tells_them(running):
    status, rows = running.get(f"/findings/{running.finding}/replicas")
    assert status == 200 and rows == play(story()).beside(running.finding)
    assert {r["replica"]: r["saw"] for r in rows} == {"n1/1": "saw it", "n1/2": "did not"}
    assert running.get("/findings/none/replicas")[0] == 404


def test_a_decision_that_teaches_is_refused_without_a_reason(running):
    for decision in ("accept", "adopt", "reject", "risky"):
        body = {"finding": running.finding, "decision": decision, "note": " "}
        status, told = running.ask("POST", "/triage", body)
        assert (status, told["error"]) == (400, f"{decision} needs a note that says why")
    assert running.get("/findings")[1][0]["state"] == "open"


def test_an_adopted_finding_says_who_owns_it(running):
    body = {"finding": running.finding, "decision": "adopt", "note": "owner ada: drill", "actor": "ada"}
    assert running.ask("POST", "/triage", body)[0] == 200
    found = running.get(f"/findings/{running.finding}")[1]
    assert (found["state"], found["history"][-1]["because"]) == ("accepted", "ada decided adopt: owner ada: drill")
