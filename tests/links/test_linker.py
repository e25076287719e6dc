"""From events to edges: what counts as a link, what stays ambiguous, and that order and hostile values change nothing."""

from __future__ import annotations

import random

import pytest

from classifier.links.edges import ASKS, EGRESS, EXEC, FILE, RETURNS, RUNS, SERVES, TURN, USER_TURN
from classifier.links.linker import Linker
from classifier.links.memory import Memory
from tests.links.factories import AGENT, SERVER, Story, digest, result
from wire.records import Event, Replica


def edges(story, kind=None):
    return [e for e in Linker().add_all(story.events).edges() if kind in (None, e.kind)]


def only(story, kind):
    (found,) = edges(story, kind)
    return found


def asked(story, *tools, time=1.0, id_="call_1"):
    """A question and an answer that asks for tools, at once."""
    llm = story.llm(time, user="do it", answer="a1")
    return llm, [story.tool(llm, n, a, id_=f"{id_}{i}", index=i) for i, (n, a) in enumerate(tools)]


def test_a_call_goes_on_from_the_one_whose_answer_its_history_holds():
    s = Story()
    one, other = s.llm(1, user="q", answer="a1"), s.llm(2, user="q", answer="b1")
    later = s.llm(9, user="q", before=["a1"])
    edge = only(s, TURN)
    assert (edge.source, edge.target, edge.method, edge.basis) == (one.id, later.id, "history", "verified")
    assert other.id not in edge.ambiguous


def test_a_continued_answer_counts_by_its_id():
    s = Story()
    one = s.llm(1, user="q", answer="a1", response_id="resp_1")
    s.llm(9, user="q", continues="resp_1")
    assert only(s, TURN).source == one.id
    assert only(s, TURN).method == "response_id"


def test_equal_answers_of_two_processes_are_told_apart_by_the_process_that_goes_on():
    s = Story()
    s.llm(1, user="q", answer="same", pid=11)
    mine = s.llm(1, user="q", answer="same", pid=12)
    s.llm(9, user="q", before=["same"], pid=12)
    assert only(s, TURN).source == mine.id


def test_two_equal_answers_of_one_process_are_ambiguous_and_it_is_said():
    s = Story()
    one, two = s.llm(1, user="q", answer="same"), s.llm(3, user="q", answer="same")
    s.llm(9, user="q", before=["same"])
    edge = only(s, TURN)
    assert {edge.source, *edge.ambiguous} == {one.id, two.id}


def test_a_missing_answer_between_makes_a_link_inferred():
    s = Story()
    one = s.llm(1, user="q", answer="a1")
    s.llm(9, user="q", before=["a1", "lost"])
    edge = only(s, TURN)
    assert (edge.source, edge.basis) == (one.id, "inferred")
    assert "1 answers between were not received" in edge.why


def test_a_result_belongs_to_the_call_of_its_id_though_clients_rewrite_ids():
    s = Story()
    llm = s.llm(1, user="q", answer="a1")
    tool = s.tool(llm, "search", id_="call_D9")
    back = s.llm(5, user="q", before=["a1"], results=[result("calld9")])
    assert [(e.source, e.target, e.basis) for e in edges(s, RETURNS)] == [(tool.id, back.id, "verified")]
    s.llm(7, user="q", before=["a1", "a2"], results=[result("calld9")])  # later requests repeat it
    assert len(edges(s, RETURNS)) == 1


def test_without_ids_results_count_from_the_end_and_equal_names_stay_ambiguous():
    s = Story()
    llm = s.llm(1, user="q", answer="a1")
    one, two = s.tool(llm, "get", {"n": 1}), s.tool(llm, "get", {"n": 2}, index=1)
    s.llm(5, user="q", before=["a1"], results=[result(name="get", text="x"), result(name="get", text="y")])
    found = {e.source: e.ambiguous for e in edges(s, RETURNS)}
    assert found == {one.id: (two.id,), two.id: (one.id,)}


def test_a_server_runs_the_call_whose_arguments_are_equal():
    s = Story()
    _, (a, b) = asked(s, ("mcp__files__read", {"path": "/a"}), ("mcp__files__read", {"path": "/b"}))
    mcp = s.mcp(3, "read", {"path": "/b"})
    edge = only(s, RUNS)
    assert (edge.source, edge.target, edge.ambiguous, edge.basis) == (b.id, mcp.id, (), "verified")
    assert edge.method.startswith("digest+bracket")
    assert a.id != edge.source


def test_equal_parallel_calls_are_a_set():
    s = Story()
    _, tools = asked(s, ("read", {"path": "/a"}), ("read", {"path": "/a"}))
    s.mcp(3, "read", {"path": "/a"})
    edge = only(s, RUNS)
    assert {edge.source, *edge.ambiguous} == {t.id for t in tools}
    assert edge.basis == "inferred"


def test_a_call_outside_of_its_bracket_is_not_run():
    s = Story()
    asked(s, ("read", {"path": "/a"}))
    s.llm(5, user="do it", before=["a1"], results=[result("call_10")])
    s.mcp(9, "read", {"path": "/a"})
    assert edges(s, RUNS) == []


def test_a_server_is_the_process_at_the_other_end_of_the_pipe():
    s = Story()
    server = s.exec(0.5, "/usr/bin/node", pid=SERVER, parent=AGENT)
    mcp = s.mcp(3, "read")
    assert [(e.source, e.target, e.method) for e in edges(s, SERVES)] == [(mcp.id, server.id, "pipe")]


def test_an_act_belongs_to_the_call_of_its_process():
    s = Story()
    s.exec(0.5, "/usr/bin/node", pid=SERVER, parent=AGENT)
    asked(s, ("read", {"path": "/data/a"}))
    mcp = s.mcp(3, "read", {"path": "/data/a"})
    opened = s.open(3.2, "/data/a", pid=SERVER)
    found = only(s, FILE)
    assert (found.source, found.target, found.method) == (mcp.id, opened.id, "argument+bracket+lineage")


def test_what_ran_at_once_and_nothing_tells_apart_is_a_set():
    s = Story()
    _, tools = asked(s, ("query", {"q": "x"}), ("mail", {"to": "ann"}))
    s.egress(3, "db.internal", port=5432)
    edge = only(s, EGRESS)
    assert {edge.source, *edge.ambiguous} == {t.id for t in tools}
    assert "2 calls were under way" in edge.why


def test_arguments_that_name_the_host_decide_between_calls_that_ran_at_once():
    s = Story()
    _, (fetch, _) = asked(s, ("fetch", {"url": "https://wiki.example/p"}), ("mail", {"to": "ann"}))
    s.egress(3, "wiki.example")
    assert (only(s, EGRESS).source, only(s, EGRESS).ambiguous) == (fetch.id, ())


def test_the_connection_to_the_model_is_no_effect():
    s = Story()
    asked(s, ("query", {"q": "x"}))
    s.llm(5, user="other", host="models.example:443")
    s.egress(3, "models.example")
    assert edges(s, EGRESS) == []


def test_a_daemon_of_a_call_is_that_calls_when_it_acts_later():
    s = Story()
    s.fork(0.1, pid=AGENT, parent=1)
    _, (tool,) = asked(s, ("shell", {"command": "run"}))
    s.fork(3, pid=300, parent=AGENT)
    s.llm(5, user="do it", before=["a1"], results=[result("call_10")])
    late = s.egress(60, "late.example", pid=300)
    edge = only(s, EGRESS)
    assert (edge.source, edge.target, edge.method) == (tool.id, late.id, "lineage")


def test_another_life_of_a_pid_is_another_process():
    s = Story()
    asked(s, ("shell", {"command": "run"}))
    s.fork(2.5, pid=300, parent=AGENT)
    s.exit(2.6, pid=300)
    s.fork(2.7, pid=300, parent=1)
    s.exec(2.8, "/usr/sbin/cron", pid=300, parent=1, lineage="cron")
    assert edges(s, EXEC) == []


def test_an_act_of_a_call_whose_event_was_lost_is_not_given_to_another():
    s = Story()
    llm = s.llm(1, user="q", answer="a1", calls=[{"id": "c1", "name": "lost", "digest": digest("x")}])
    s.egress(3, "db.internal")
    assert edges(s, EGRESS) == []
    kept = s.tool(llm, "kept", {"q": 1}, id_="c2")
    assert (only(s, EGRESS).source, only(s, EGRESS).ambiguous) == (kept.id, (llm.id,))


def test_the_order_of_arrival_changes_nothing():
    s = Story()
    s.exec(0.5, "/usr/bin/node", pid=SERVER, parent=AGENT)
    asked(s, ("read", {"path": "/a"}), ("fetch", {"url": "https://x.example"}))
    s.mcp(3, "read", {"path": "/a"})
    s.egress(3.1, "x.example")
    s.llm(5, user="do it", before=["a1"], results=[result("call_10"), result("call_11")])
    wanted, rng = edges(s), random.Random(4)
    assert len(wanted) >= 7
    for _ in range(5):
        rng.shuffle(s.events)
        assert edges(s) == wanted


def test_what_came_late_counts_and_an_event_twice_counts_once():
    s, linker = Story(), Linker()
    llm = s.llm(1, user="q", answer="a1")
    linker.add(llm)
    assert linker.edges() == []
    tool = s.tool(llm, "search")
    linker.add_all([tool, tool])
    assert [e.kind for e in linker.edges()] == [ASKS]


def test_memory_is_bounded_and_says_what_went():
    linker = Linker(Memory(most={"file": 64}))
    s = Story()
    llm = s.llm(1, user="q", answer="a1")
    s.tool(llm, "search")
    for n in range(1000):
        s.open(2 + n, f"/tmp/{n}")
    linker.add_all(s.events)
    assert len(linker.memory) <= 67
    chain = linker.chain_of([llm.id])
    assert chain.trigger.kind == USER_TURN
    assert any("older file events" in words for words in chain.lost)


def test_a_fork_bomb_does_not_flush_the_start_of_the_server():
    linker, s = Linker(Memory(most={"process": 64})), Story()
    s.exec(0.5, "/usr/bin/node", pid=SERVER, parent=AGENT)
    s.mcp(1, "read")
    for n in range(1000):
        s.fork(2 + n, pid=1000 + n, parent=AGENT)
    linker.add_all(s.events)
    s.mcp(2000, "read")
    linker.add(s.events[-1])
    assert [e.kind for e in linker.edges()].count(SERVES) == 2


HOSTILE = {
    "no JSON": {"history": "{", "results": "[[", "calls": "nope"},
    "other types": {"history": '{"a":1}', "results": "[1,2]", "calls": '[{"id":[1]}]', "user_turn": 7, "pid": "x"},
    "deep": {"history": "[" * 5000, "results": "[" * 5000, "arguments": "[" * 2000},
    "cycle": {"answer_chain": "a", "history": '[["assistant","a","a"]]'},
    "times": {"began": float("inf"), "ended": float("nan"), "request_ended": -1},
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", ["llm", "tool", "mcp", "exec", "egress"])
def test_hostile_values_end_nothing(kind, data):
    events = [
        Event(f"n/e/{n}", float(n), Replica("n", 1), kind, None, data | {"method": "tools/call"}) for n in range(3)
    ]
    linker = Linker().add_all(events)
    assert linker.chain_of([e.id for e in events]).layers


def test_a_flood_of_equal_calls_is_answered_in_time():
    s = Story()
    llm = s.llm(1, user="q", answer="a1")
    for n in range(600):
        s.tool(llm, "read", {"path": "/a"}, index=n)
        s.mcp(3 + n / 1000, "read", {"path": "/a"})
        s.egress(3 + n / 1000, "x.example", pid=SERVER)
    assert len(edges(s)) == 1800  # the work per event is bounded, so this ends
