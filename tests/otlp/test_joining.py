"""A call whose pieces come by two roads is told once and whole; nothing waits for ever, nothing is kept for ever."""

from __future__ import annotations

import itertools

import pytest

from classifier.otlp.joining import Joiner, Recent
from classifier.otlp.shapes import Llm, Mcp, Said, Tool
from tests.factories import replica
from tests.otlp import golden
from tests.otlp.bodies import NOW, SPAN, log, logs, span, traces
from tests.otlp.test_conventions import told
from wire.turns import Turn, Wanted


def said(what=None, id="a" * 16, parent="", whole=True, **more):
    what = what if what is not None else Llm(asked="m", turns=(Turn("user", "x"),))
    return Said(what, f"t/{id}", "t", id, parent, NOW - 1, NOW, whole=whole, **more)


def joiner(wait=5.0, limit=10):
    return Joiner(wait=wait, limit=limit)


def take(j, one, now=NOW, number=1):
    return [r.said for r in j.take(one, replica(number), {}, now)]


def test_a_span_with_words_is_told_at_once():
    one = said()
    assert take(joiner(), one) == [one]


def test_a_span_without_words_waits_for_them_and_no_longer_than_allowed():
    j, one = joiner(), said(Llm(asked="m"))
    assert take(j, one) == [] and j.waiting == 1
    assert list(j.due(NOW + 4)) == []
    assert [r.said for r in j.due(NOW + 5)] == [one] and j.waiting == 0


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_log_records_and_their_span_meet_in_any_order(order):
    j = joiner()
    pieces = [
        said(Llm(turns=(Turn("user", "hi"),)), whole=False),
        said(Llm(answer=Turn("assistant", "ho")), whole=False),
        said(Llm(asked="m")),
    ]
    out = [one for n in order for one in take(j, pieces[n])] + [r.said for r in j.due(NOW + 99)]
    assert len(out) == 1 and out[0].what.asked == "m"
    assert out[0].whole and (out[0].what.turns or out[0].what.answer)


def test_log_records_alone_are_told_and_say_that_their_span_was_not_seen():
    (found,) = told(logs(log("gen_ai.user.message", {"content": "hi"})))
    assert found.data["user_turn"] == "hi" and found.data["partial"] == "span:not-seen"


def test_messages_keep_their_order():
    found = told(*golden.LOGS["genai-1.36-messages"][::-1])
    assert [e.kind for e in found] == ["llm", "tool"] and found[0].data["turns"] == 1


def test_the_same_request_twice_is_told_once():
    request = golden.TRACES["genai-structured"]
    assert len(told(request, request)) == len(told(request)) == 2


def test_a_frameworks_span_around_its_clients_is_not_a_second_call():
    inner = span(attributes=golden.NEW | {"gen_ai.input.messages": "hi"}, parent="1" * 16)
    outer = span("ChatOpenAI.chat", id="1" * 16, end=NOW - 0.5, attributes=golden.NEW | {"gen_ai.input.messages": "hi"})
    for requests in ((traces(inner, outer),), (traces(outer, inner),), (traces(inner), traces(outer))):
        (found,) = told(*requests)
        assert SPAN in found.data["traceparent"]


def test_a_tool_that_its_answer_told_is_not_told_again_by_its_span():
    j = joiner()
    answer = Turn("assistant", "", (Wanted("c1", "f", {}),))
    take(j, said(Llm(asked="m", answer=answer)))
    assert take(j, said(Tool("f", "c1"), id="b" * 16)) == []
    assert len(take(j, said(Tool("f", "c1"), id="c" * 16), number=2)) == 1, "another replica's ids are its own"
    assert len(take(j, said(Tool("f", "c2"), id="d" * 16))) == 1
    assert len(take(j, said(Tool("f"), id="e" * 16))) == len(take(j, said(Tool("f"), id="f" * 16))) == 1


def test_a_tool_that_its_span_told_first_is_not_told_again_by_its_answer():
    run = golden.tool_run(**golden.TOOLS["execute_tool"])
    call = span(attributes=golden.NEW | {"gen_ai.output.messages": golden.OUTPUT})
    assert [e.kind for e in told(traces(run), traces(call))] == ["tool", "llm"]
    assert [e.kind for e in told(traces(run, call))] == ["llm", "tool"], "together, the call comes first"


def test_a_tools_span_tells_the_arguments_that_its_answer_kept_back():
    j = joiner()
    answer = Turn("assistant", "", (Wanted("c1", "f", {}, whole=False),))
    take(j, said(Llm(asked="m", answer=answer)))
    assert len(take(j, said(Tool("f", "c1", {"a": 1}), id="b" * 16))) == 1


def test_mcp_messages_are_told_at_once_and_once():
    j, one = joiner(), said(Mcp("tools/list"))
    assert take(j, one) == [one] and take(j, one) == []
    assert j.dropped == {"told already": 1}


def test_when_too_many_wait_the_oldest_is_told_as_it_is():
    j = joiner(limit=3)
    out = [one for n in range(5) for one in take(j, said(Llm(asked=str(n)), id=f"{n:016x}"))]
    assert [one.what.asked for one in out] == ["0", "1"] and j.waiting == 3


def test_what_is_remembered_is_bounded():
    held = Recent(2)
    for n in (1, 2, 1, 3):
        held.add(n)
    assert [n in held for n in (1, 2, 3)] == [True, False, True]
