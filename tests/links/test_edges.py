"""Edges and chains as values."""

from __future__ import annotations

import json

from classifier.links.edges import (
    KINDS,
    LAYERS,
    METHODS,
    MISSING,
    PRESENT,
    Chain,
    Edge,
    Layer,
    Trigger,
    chain_to_dict,
    weakest,
)

LAYERED = tuple(Layer(n, PRESENT if n != "prompt" else MISSING, "" if n != "prompt" else "no feed") for n in LAYERS)


def test_a_missing_layer_is_counted_as_missing():
    chain = Chain(Trigger("not_captured"), (), LAYERED)
    assert chain.complete == "3/4"
    assert chain.layer("prompt").reason == "no feed"


def test_a_chain_is_json_as_it_stands():
    edge = Edge("n/e/1", "n/e/2", "llm>tool", "id", "verified", why="call id call_1")
    chain = Chain(Trigger("user_turn", "n/e/1"), (edge,), LAYERED, events=("n/e/1", "n/e/2"))
    again = json.loads(json.dumps(chain_to_dict(chain)))
    assert again["edges"][0]["source"] == "n/e/1"
    assert again["complete"] == "3/4"


def test_a_link_is_never_better_known_than_what_it_joins():
    assert weakest("verified", "verified") == "verified"
    assert weakest("verified", "self_reported", "inferred") == "self_reported"


def test_kinds_and_methods_are_told_apart():
    assert len(set(KINDS)) == len(KINDS)
    assert len(set(METHODS)) == len(METHODS)
