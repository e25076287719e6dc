"""The running classifier tells the chain of a finding from what its store still has."""

from __future__ import annotations

from tests.classifier.story import ATTACK, days, learned


def test_a_running_classifier_tells_the_chain_of_a_finding(daemon):
    d = daemon().start()
    d.send([*learned(1, 2), *days(40, 50, 1, 2, uses={1: ATTACK})])
    id_ = d.get("/findings")[1][0]["id"]
    status, found = d.get(f"/findings/{id_}/chain")
    assert status == 200 and found["finding"] == id_
    assert found["trigger"]["kind"] == "not_captured"
    assert {la["name"]: la["state"] for la in found["layers"]}["prompt"] == "missing"
    assert d.get("/findings/none/chain")[0] == 404
