"""Chains: the trigger, the turn, the layers and their reasons, and what crosses from agent to agent."""

from __future__ import annotations

from classifier.links.edges import AGENT, EGRESS, INBOUND, INPUT, MISSING, NOT_CAPTURED, PARTIAL, PRESENT, USER_TURN
from classifier.links.linker import Linker
from tests.links.factories import AGENT as PID
from tests.links.factories import SERVER, Story, digest, result
from wire.records import Replica

WORKER = Replica("n2", 9)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


def chain(story, *events):
    return Linker().add_all(story.events).chain_of([e.id for e in events])


def whole():
    """A turn with a read and a write, an earlier turn before it, and a later one."""
    s = Story()
    s.exec(0.5, "/usr/bin/node", pid=SERVER, parent=PID)
    early = s.llm(1, user="hello", answer="a0")
    one = s.llm(10, user="ticket ZD-1", before=["a0"], answer="a1")
    read = s.tool(one, "files_read", {"path": "/data/customers"}, id_="c1")
    mcp = s.mcp(12, "read", {"path": "/data/customers"})
    opened = s.open(12.2, "/data/customers", pid=SERVER)
    two = s.llm(20, user="ticket ZD-1", before=["a0", "a1"], answer="a2", results=[result("c1")])
    put = s.tool(two, "put", {"url": "https://b.s3.example.org/x"}, id_="c2")
    sent = s.egress(22, "b.s3.example.org")
    later = s.llm(30, user="thanks", before=["a0", "a1", "a2"], answer="a3", results=[result("c2")])
    return s, early, later, (one, read, mcp, opened, two, put, sent)


def test_a_chain_holds_its_turn_and_nothing_of_the_turns_around_it():
    s, early, later, parts = whole()
    found = chain(s, parts[-1])
    assert set(found.events) >= {p.id for p in parts}
    assert not {early.id, later.id} & set(found.events)
    assert (found.trigger.kind, found.trigger.event, found.trigger.excerpt) == (USER_TURN, parts[0].id, "ticket ZD-1")
    assert found.trigger.digest == digest("ticket ZD-1")
    assert found.complete == "4/4"
    assert (found.behaviour, found.workflow) == ("chain:files_read>put>s3", "files_read")


def test_without_the_prompt_feed_the_chain_says_not_captured_and_the_nearest_flow():
    s = Story()
    far = s.event("ingress", 1.0, {"address": "10.0.0.1", "port": 8080, "pid": PID})
    near = s.event("ingress", 8.0, {"address": "10.0.0.2", "port": 8080, "pid": PID})
    sent = s.egress(10, "b.s3.example.org")
    found = chain(s, sent)
    assert (found.trigger.kind, found.trigger.nearest) == (NOT_CAPTURED, (near.id, far.id))
    assert found.layer("prompt").state == MISSING
    assert found.layer("prompt").reason == "no model call was captured (no feed)"
    assert (found.layer("network").state, found.complete) == (PRESENT, "1/4")
    assert found.unlinked == (sent.id,)


def test_closeness_alone_is_a_possible_link_and_no_edge():
    s, *_, parts = whole()
    flow = s.event("ingress", 9.0, {"address": "10.0.0.2", "port": 8080, "pid": PID})
    found = chain(s, parts[-1])
    assert [(e.source, e.method, e.error) for e in found.possible] == [(flow.id, "time", 0.005)]
    assert flow.id not in found.events


def test_two_flows_as_close_as_the_clocks_are_wrong_are_dropped():
    s, *_, parts = whole()
    for _ in range(2):
        s.event("ingress", 9.0, {"address": "10.0.0.2", "port": 8080, "pid": PID})
    assert chain(s, parts[-1]).possible == ()


def test_a_call_that_was_captured_in_part_makes_its_layer_partial():
    s = Story()
    llm = s.llm(1, user="q", answer="a1", partial="answer:not-seen")
    found = chain(s, s.tool(llm, "search"))
    assert found.layer("prompt").state == PARTIAL
    assert "answer:not-seen" in found.layer("prompt").reason


def test_a_trace_id_ties_an_inbound_request_to_the_model_call():
    s = Story()
    inbound = s.mcp(1, "handle", {"ticket": "ZD-1"}, ended=30, by="received", peer=1, traceparent=TRACE)
    llm = s.llm(5, user="ZD-1", answer="a1", traceparent=OTHER)
    found = chain(s, llm)
    assert [(e.source, e.kind, e.method) for e in found.edges] == [(inbound.id, INPUT, "traceparent")]
    assert (found.trigger.kind, found.trigger.event) == (INBOUND, inbound.id)


def orchestrated(*, trace: bool, skew: float = 0.0):
    """An orchestrator calls a worker, which asks its own model and uploads."""
    s = Story()
    top = s.llm(1, user="export the accounts", answer="a1")
    call = s.tool(top, "worker_run", {"task": "upload the account list now"}, id_="c1")
    sent = s.mcp(3, "run", {"task": "upload the account list now"}, ended=20, peer=0, source="tls", result_digest="r")
    more = {"traceparent": TRACE} if trace else {}
    s.events[-1] = s.events[-1].__class__(sent.id, sent.time, sent.replica, "mcp", None, dict(sent.data) | more)
    received = s.mcp(
        3.1 + skew, "run", {"task": "upload the account list now"}, ended=19 + skew, pid=500, peer=0, replica=WORKER,
        by="received", source="tls", result_digest="r", **more,
    )  # fmt: skip
    s.replica = WORKER
    inner = s.llm(5 + skew, user="upload the account list now", answer="b1", pid=500)
    upload = s.tool(inner, "put", {"url": "https://b.s3.example.org/x"}, id_="d1", pid=500)
    out = s.egress(8 + skew, "b.s3.example.org", pid=500)
    return s, (top, call, sent, received, inner, upload, out)


def test_a_chain_crosses_from_agent_to_agent_by_trace_id_whatever_the_clocks_say():
    for skew in (0.0, 0.2, -0.2):
        s, parts = orchestrated(trace=True, skew=skew)
        found = chain(s, parts[-1])
        assert set(found.events) == {p.id for p in parts}
        assert len(found.agents) == 2
        assert found.trigger.excerpt == "export the accounts"
        (edge,) = [e for e in found.edges if e.kind == AGENT]
        assert (edge.source, edge.target, edge.method) == (parts[2].id, parts[3].id, "traceparent")


def test_without_ids_equal_arguments_and_result_tie_two_agents_together():
    s, parts = orchestrated(trace=False)
    found = chain(s, parts[-1])
    assert {e.kind: e.method for e in found.edges if e.kind in (AGENT, INPUT, EGRESS)} == {
        AGENT: "digest",
        INPUT: "argument",
        EGRESS: "argument+bracket+lineage",
    }
    assert found.trigger.excerpt == "export the accounts"


def test_an_unknown_id_is_told_as_unlinked():
    found = Linker().chain_of(["n/e/nothing"])
    assert (found.unlinked, found.complete, found.edges) == (("n/e/nothing",), "0/4", ())
