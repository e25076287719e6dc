"""Layers: present, partial or missing, each with its reason."""

from __future__ import annotations

import pytest

from classifier.links.edges import LAYERS, MISSING, PARTIAL, PRESENT
from classifier.links.layers import layers
from classifier.links.reading import read
from tests.links.factories import Story


def facts(*events):
    return [read(e) for e in events]


def state(found, name):
    return next((la.state, la.reason) for la in found if la.name == name)


def test_nothing_is_four_missing_layers_in_order():
    found = layers([], [], {})
    assert [la.name for la in found] == list(LAYERS)
    assert {la.state for la in found} == {MISSING}
    assert all(la.reason for la in found)


@pytest.mark.parametrize("kind", ["syscall", "io_uring"])
def test_a_call_by_either_road_is_of_the_kernel(kind):
    asked = facts(Story().event(kind, 1.0, {"pid": 7}, f"{kind}:connect"))
    assert state(layers(asked, asked, {}), "kernel") == (PRESENT, "")


def test_what_is_elsewhere_but_not_linked_is_told_apart_from_no_feed():
    llm = facts(Story().llm(1, user="q"))
    assert state(layers([], llm, {}), "prompt") == (MISSING, "there are such events, none is linked to these")
    assert "no feed" in state(layers([], [], {}), "prompt")[1]


def test_what_was_let_go_is_the_reason():
    assert "7 older ones were let go" in state(layers([], [], {"file": 7}), "kernel")[1]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"user": "q"}, (PRESENT, "")),
        ({"user": ""}, (PARTIAL, "model calls without their words")),
        ({"user": "q", "partial": "request:cut at:7"}, (PARTIAL, "1 of 1 captured in part: request:cut")),
    ],
    ids=["whole", "no words", "in part"],
)
def test_a_prompt_layer_needs_its_words(more, wanted):
    llm = facts(Story().llm(1, **more))
    assert state(layers(llm, llm, {}), "prompt") == wanted
