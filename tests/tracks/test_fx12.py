"""FX-12: the KYC agent under enforcement from its first pod, and what production does that staging never did."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.drift.finding import finding_to_dict, findings_json
from classifier.envelope.view import shown
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from classifier.tracks.divergence import GAP, divergence
from classifier.tracks.staging import exported, signed, verified
from classifier.tracks.view import listed, one
from tests.fixtures import fx12
from tests.tracks.signing import SECRET, key


def play(records, cuts=frozenset()) -> Pipeline:
    pipeline = Pipeline(Policy())
    for n, record in enumerate(records):
        if n in cuts:
            pipeline = Pipeline.restore(Policy(), pipeline.snapshot())
        pipeline.feed(record)
    return pipeline


@pytest.fixture(scope="module")
def baseline():
    """Staging observed, exported, signed, and verified for production."""
    envelope = shown(play(fx12.staging()).envelope(fx12.STAGING))
    content = exported(envelope, target=fx12.PRODUCTION, now=fx12.BEFORE, valid=1e6, start_up=True)
    file = signed(content, SECRET, now=fx12.BEFORE)
    return verified(file, [key(SECRET, "prod/kyc/*")], now=fx12.START, target=fx12.PRODUCTION)


@pytest.fixture(scope="module")
def records(baseline):
    return fx12.production(fx12.laid_down(baseline.pin))


@pytest.fixture(scope="module")
def production(records):
    return play(records)


def test_the_first_request_is_served_under_enforcement(production, baseline):
    (row,) = listed(production.known())
    assert (row["track"], row["mode"], row["confirmed_by"]) == ("regulated", "enforced", "compliance")
    assert row["exposure_hours"] == 0 and row["enforced_hours"] == 144 and row["paused_hours"] == 0
    assert row["staging"] == baseline.pin and row["warnings"] == []
    assert row["enforcement_told_by"] == "compliance"


def test_the_production_only_destination_is_a_gap(production, baseline):
    rows = divergence(baseline.content, shown(production.envelope(fx12.PRODUCTION)))
    gaps = {r["behaviour"]: r for r in rows if r["kind"] == GAP}
    assert gaps.keys() == {fx12.SCREENING, fx12.DB}
    assert gaps[fx12.SCREENING]["first"] == pytest.approx(fx12.NEWS, abs=1)
    assert gaps[fx12.DB]["like"] == [fx12.STAGING_DB]


def test_the_baseline_is_not_widened_by_what_production_learned(production, baseline):
    """D070: production's own envelope may know it by now, the signed reference does not and never will."""
    assert production.envelope(fx12.PRODUCTION).knows(fx12.SCREENING)
    rows = divergence(baseline.content, shown(production.envelope(fx12.PRODUCTION)))
    assert fx12.SCREENING in {r["behaviour"] for r in rows if r["kind"] == GAP}
    assert fx12.SCREENING not in {b["behaviour"] for b in baseline.content["behaviours"]}


def test_an_approval_widens_one_item_with_owner_and_end(baseline):
    until = fx12.END + fx12.DAY
    approval = replace(fx12.pin("allow", fx12.SCREENING, time=fx12.NEWS + 60.0, note="ticket 9"), until=until)
    pipeline = play(fx12.production([*fx12.laid_down(baseline.pin), approval]))
    allowed = one(pipeline.known(), fx12.PRODUCTION)["allowed"]
    assert [(a["behaviour"], a["actor"], a["until"]) for a in allowed] == [(fx12.SCREENING, "compliance", until)]
    rows = divergence(baseline.content, shown(pipeline.envelope(fx12.PRODUCTION)), allowed=allowed)
    actions = {r["behaviour"]: r["action"] for r in rows if r["kind"] == GAP}
    assert actions == {fx12.SCREENING: "allowed", fx12.DB: "deny or review"}


def test_without_enforcement_it_is_observed_and_that_is_counted():
    (row,) = listed(play(fx12.production([fx12.pin("data", "cardholder")])).known())
    assert (row["track"], row["mode"], row["exposure_hours"]) == ("regulated", "observation", 144)
    assert row["warnings"] == ["observed without enforcement", "no signed staging baseline"]
    assert row["confirmed_by"] is None


def test_enforcement_that_stops_is_counted_from_then_on(baseline):
    pins = [*fx12.laid_down(baseline.pin), fx12.pin("enforcement", "off", time=fx12.START + 5 * fx12.DAY)]
    found = one(play(fx12.production(pins)).known(), fx12.PRODUCTION)
    assert (found["enforced_hours"], found["exposure_hours"], found["mode"]) == (120, 24, "observation")
    assert [p["what"] for p in found["pins"]].count("enforcement") == 2


def test_a_workload_with_pins_is_known_before_its_first_pod(baseline):
    (row,) = listed(play(fx12.laid_down(baseline.pin)).known())
    assert (row["mode"], row["state"], row["exposure_hours"]) == ("enforced", "missing", 0)


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_pins_in_any_order_and_place_of_the_stream_say_the_same(production, records, baseline, rng: random.Random):
    pins = fx12.laid_down(baseline.pin)
    rest = [r for r in records if r not in pins]
    for pin in rng.sample(pins, len(pins)):
        rest.insert(rng.randrange(1, len(rest)), pin)
    assert listed(play(rest).known()) == listed(production.known())


@settings(max_examples=5, deadline=None)
@given(cuts=st.sets(st.integers(0, 300), max_size=3))
def test_snapshot_and_restore_at_any_point_change_nothing(production, records, cuts):
    assert play(records, cuts).snapshot() == production.snapshot()


def test_pins_open_and_change_no_finding(production, records):
    plain = play([r for r in records if r not in fx12.laid_down("x")])
    assert findings_json(plain.findings()) == findings_json(production.findings())
    assert [finding_to_dict(f) for f in plain.findings()] == [finding_to_dict(f) for f in production.findings()]
