"""What was signed stays; the envelope ages beside it."""

from __future__ import annotations

from classifier.envelope.state import freeze, thaw
from classifier.envelope.view import digest, shown
from classifier.pipeline import Pipeline
from tests.classifier.story import POLICY, days, learned, play
from tests.factories import SHOP, use
from wire.records import Pin

NEWS = tuple(use(f"open:data:/srv/new{c}") for c in "abcdef")


def signed(pipeline: Pipeline, value: str = "") -> Pipeline:
    e = pipeline.envelope(SHOP)
    pipeline.feed(Pin(20.0, SHOP, "signed", value or digest(e), "ada", "review"))
    return pipeline


def test_signature_freezes_what_is_admitted():
    """D058: the live envelope stays near to what is done, the signed one is left behind."""
    pipeline = signed(play(learned(1, 2, until=12), POLICY))
    e = pipeline.envelope(SHOP)
    before = shown(e)
    assert (before["distance_signed"], before["distance_live"], before["signed"]["actor"]) == (0.0, 0.0, "ada")
    for name in NEWS:
        e.admit(name.behaviour, "ada said so")
    play(days(12, 20, 1, 2, uses={1: NEWS, 2: NEWS}), pipeline=pipeline)
    after = shown(e)
    assert after["distance_signed"] > 0.2 and after["reverification_due"] and after["distance_live"] < 0.1
    assert after["signed"] == before["signed"]


def test_digest_of_another_state_signs_nothing():
    pipeline = signed(play(learned(1, 2, until=12), POLICY), "0123456789abcdef")
    assert shown(pipeline.envelope(SHOP))["signed"] is None and pipeline.counters["signed_late"] == 1


def test_reference_survives_snapshot_and_merge():
    e = signed(play(learned(1, 2, until=12), POLICY)).envelope(SHOP)
    assert thaw(freeze(e)).signed == e.signed and e.merge(thaw(freeze(e))).signed == e.signed
