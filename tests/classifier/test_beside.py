"""Old and new replicas side by side: who saw a change, who did not, and of whom nobody can tell."""

from __future__ import annotations

from dataclasses import replace

from classifier.drift.beside import DID_NOT, SAW, UNKNOWN
from tests.classifier.story import NEW_PEER, born, days, learned, play, rollout
from wire.records import Gap


def told(pipeline):
    (finding,) = pipeline.findings()
    return {row["replica"]: row for row in pipeline.beside(finding.id)}


def canary(*more, until=50):
    new = born(3, revision="r2", time=40.5)
    return [*learned(1, 2), rollout(40.0), new, *more, *days(41, until, 1, 2, 3, uses={3: (NEW_PEER,)})]


def test_new_replicas_saw_it_and_old_ones_beside_them_did_not():
    rows = told(play(canary()))
    assert {name: (row["revision"], row["saw"]) for name, row in rows.items()} == {
        "n1/3": ("r2", SAW), "n1/1": ("r1", DID_NOT), "n1/2": ("r1", DID_NOT),
    }  # fmt: skip
    assert rows["n1/3"]["first"] == 41.0 and rows["n1/3"]["count"] == 18
    assert rows["n1/1"]["hours"] > 0


def test_a_replica_that_nobody_watched_then_is_unknown():
    records = canary()
    records.insert(-4, Gap("n1", 44.0, 46.0, "restart"))
    rows = told(play(records))
    assert rows["n1/1"]["saw"] == UNKNOWN and rows["n1/3"]["saw"] == SAW


def test_what_was_admitted_is_still_told_from_the_envelope():
    pipeline = play(canary(until=110))
    assert pipeline.findings()[0].state == "accepted"
    rows = told(pipeline)
    assert rows["n1/3"]["saw"] == SAW and rows["n1/3"]["first"] is None and rows["n1/1"]["saw"] == DID_NOT


def test_an_unknown_finding_has_no_replicas():
    assert play(learned(1, 2)).beside("none") == []


def test_replicas_long_gone_are_not_listed():
    records = [replace(r, ended=39.0) if r == born(2) else r for r in learned(1, 2)]
    assert told(play([*records, *canary()[len(learned(1, 2)) :]])).keys() >= {"n1/3", "n1/1"}
