"""Chains as behaviours: tools in order, effects by class, per workflow, bounded."""

from __future__ import annotations

import pytest

from classifier.links.behaviours import effect_class, element, path, step, uses
from classifier.links.linker import Linker
from classifier.links.reading import Act
from tests.links.factories import Story, result


def turn(*tools, s=None, user="q", mark="a", egress=""):
    """A turn with one tool an answer; `egress`: what the last tool connects to."""
    s, at = s or Story(), len(s.events) * 10.0 + 1 if s else 1.0
    before = []
    for n, tool in enumerate(tools):
        back = [result(f"{mark}{n - 1}")] if n else []
        llm = s.llm(at, user=user, before=before, answer=f"{mark}{n}", results=back)
        s.tool(llm, tool, id_=f"{mark}{n}")
        if egress and n == len(tools) - 1:
            s.egress(at + 2, egress)
        before, at = [*before, f"{mark}{n}"], at + 10
    return s


def names(story):
    return [u.behaviour for u in uses(Linker().add_all(story.events))]


def test_a_turn_gives_its_steps_under_its_first_tool():
    assert names(turn("get_ticket", "search", "reply")) == [
        "chain:get_ticket",
        "chain:get_ticket>search",
        "chain:get_ticket>search>reply",
    ]


def test_an_effect_counts_by_its_class_behind_its_tool():
    found = names(turn("get_ticket", "put", egress="acme-export.s3.example.org"))
    assert "chain:get_ticket>put>@s3" in found


def test_two_workflows_of_one_agent_have_their_own_steps():
    s = turn("get_ticket", "reply")
    turn("list_accounts", "reply", s=s, user="export", mark="b")
    assert {"chain:get_ticket>reply", "chain:list_accounts>reply"} <= set(names(s))


def test_a_tool_called_again_and_again_makes_no_name_of_its_own():
    assert names(turn(*["search"] * 9)) == ["chain:search"]


def test_the_same_turn_again_counts_and_adds_no_behaviour():
    s = turn("get_ticket", "reply")
    once = names(s)
    turn("get_ticket", "reply", s=s, user="another", mark="b")
    found = uses(Linker().add_all(s.events))
    assert [u.behaviour for u in found] == once
    assert {u.count for u in found} == {2}
    assert all(len(u.evidence) == 2 for u in found)


def test_a_long_turn_is_shown_cut():
    s = turn(*[f"t{n}" for n in range(20)])
    graph = Linker().add_all(s.events).graph
    whole = path(graph, [e.id for e in s.events]).behaviour
    assert whole == "chain:t0>t1>t2>t3>t4>t5>t6>…"


@pytest.mark.parametrize("name", ["a>b<c", "x\x1b[31m", "", "ü" * 500])
def test_a_hostile_name_of_a_tool_stays_one_short_word(name):
    assert len(element(name)) <= 48
    assert not set(element(name)) & set("<> \x1b\n")


def test_steps_name_the_first_tool_once():
    assert step("a", "a", "b") == "chain:a>b"
    assert step("a", "b", "a") == "chain:a>b>a"


@pytest.mark.parametrize(
    ("kind", "words", "port", "behaviour", "wanted"),
    [
        ("egress", ("db.internal",), 5432, "", "db"),
        ("egress", ("smtp.corp.example",), 587, "", "mail"),
        ("egress", ("10.0.0.9",), 443, "", "net"),
        ("open", ("/etc/x",), 0, "write:data:/etc/x", "write"),
        ("open", ("/run/secrets/x",), 0, "open:secret:/run/secrets/x", "secret"),
        ("exec", ("/bin/sh",), 0, "exec:/bin/sh<x", "exec"),
        ("syscall", (), 0, "syscall:mount", "call"),
        ("io_uring", (), 0, "io_uring:connect", "call"),
    ],
)
def test_effects_have_classes(kind, words, port, behaviour, wanted):
    assert effect_class(Act("i", kind, 1.0, "n", "n/1/0", 7, words=words, port=port, behaviour=behaviour)) == wanted
