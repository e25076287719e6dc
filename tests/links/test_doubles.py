"""Calls that were seen and told: one call, which what was seen stands for."""

from __future__ import annotations

import pytest

from classifier.links.edges import ASKS, RUNS, TURN
from classifier.links.linker import Linker
from classifier.links.turns import Turns
from tests.links.factories import POD, Story, result
from wire.records import Window

TOLD = {"basis": "self_reported", "source": "otlp"}


def twice(*, late=0.2, **more):
    """A turn that the sensor saw and the workload told."""
    s, told = Story(), Story(epoch="otlp")
    one = s.llm(1, user="q", answer="a1", **more)
    tool = s.tool(one, "read", {"path": "/a"}, id_="c1")
    s.mcp(3, "read", {"path": "/a"})
    s.llm(5, user="q", before=["a1"], answer="a2", results=[result("c1")])
    again = told.llm(1 + late, user="q", answer="a1", **TOLD, **more)
    other = told.tool(again, "read", {"path": "/a"}, id_="c1", **TOLD)
    told.llm(5 + late, user="q", before=["a1"], answer="a2", results=[result("c1")], **TOLD)
    return s, told, tool, other


@pytest.mark.parametrize("late", [0.2, -0.2, 1.5])
def test_a_call_that_was_seen_and_told_is_linked_once(late):
    s, told, tool, other = twice(late=late)
    linker = Linker().add_all([*told.events, *s.events])
    assert linker.edges() == Linker().add_all(s.events).edges()
    assert {e.kind for e in linker.edges()} >= {ASKS, RUNS, TURN}
    assert linker.chain_of([other.id]) == linker.chain_of([tool.id])


def test_a_response_id_ties_them_however_late_it_was_told():
    s, told, *_ = twice(late=600, response_id="r1")
    stands = Linker().add_all([*s.events, *told.events]).graph.stands
    assert stands[told.events[0].id] == s.events[0].id


def test_what_was_only_told_is_linked_as_self_reported():
    _, told, *_ = twice()
    found = Linker().add_all(told.events).edges()
    assert found and {e.basis for e in found} == {"self_reported"}


def test_the_same_question_an_hour_later_is_another_call():
    s, told, *_ = twice(late=3600)
    assert Linker().add_all([*s.events, *told.events]).graph.stands == {}


def test_steps_are_counted_once():
    s, told, *_ = twice()
    turns = Turns()
    for event in [*s.events, *told.events]:
        turns.note(event)
    joined, silent = turns.joined(Window(POD, 0.0, 9.0))
    assert [(u.behaviour, u.count) for u in (*joined.uses, *silent)] == [("chain:read", 1)]
