"""Records of the decoder as events: every field that is known, nothing that is not, and never too large for a frame."""

import json
from dataclasses import replace

import pytest

from sensor.observe.applayer.records import ABSENT, Fact, Message, Server, Text, ToolDefinition, ToolResult, Uncovered
from sensor.observe.applayer.told import Context, Teller
from tests.factories import replica
from tests.observe.applayer.test_mcp import over_pipe
from tests.observe.applayer.wires import APIS, conversation, run
from wire import codec
from wire.fields import spelled

HERE = Context(replica(7), "tls", "c-1", pid=4711, image="/usr/bin/python3", lineage="python3>sh")
LARGEST = 48 << 10  # bytes of an event, as docs/records.md says


def told(records, context=HERE):
    teller = Teller(node="n1", epoch="e1", mark="t")
    return [event for record in records for event in teller.events(record, context=context)]


def conversed(api="anthropic", *, stream=True):
    return told(run(*conversation(api, stream=stream)))


@pytest.mark.parametrize("api", APIS)
def test_a_call_is_told_with_its_tool_calls_behind_it(api):
    events = conversed(api)
    first = events[0]
    assert first.kind == "llm" and first.behaviour is None and first.data["api"] == api
    tools = [e for e in events if e.data.get("llm") == first.id]
    assert [t.kind for t in tools] == ["tool"] * len(json.loads(first.data["calls"]))
    assert tools and all(t.behaviour == f"tool:{t.data['name']}" for t in tools)
    assert [t.data["arguments_digest"] for t in tools] == [c["digest"] for c in json.loads(first.data["calls"])]
    assert len({e.id for e in events}) == len(events)
    offered = dict(word.split("=") for word in first.data["tools"].split())
    assert {t.data["name"]: t.data["digest"] for t in tools}.items() <= offered.items()


def test_who_said_it_and_how_it_was_captured_stands_in_every_event():
    for event in conversed():
        known = {k: event.data[k] for k in ("pid", "image", "lineage", "source", "basis", "connection")}
        assert known == {"pid": 4711, "image": "/usr/bin/python3", "lineage": "python3>sh"} | {
            "source": "tls",
            "basis": "verified",
            "connection": "c-1",
        }
        assert event.replica == HERE.replica and event.id.endswith("t")


def test_results_of_the_second_request_name_the_calls_that_they_answer():
    calls = [e for e in conversed() if e.kind == "llm"]
    asked = {c["id"] for c in json.loads(calls[0].data["calls"])}
    given = {r["id"] for r in json.loads(calls[1].data["results"])}
    assert given and given <= asked


def test_an_answer_comes_back_in_the_history_of_the_next_call():
    first, second = [e for e in conversed() if e.kind == "llm"]
    history = json.loads(second.data["history"])
    assert [first.data["answer"], first.data["answer_chain"]] in [row[1:] for row in history]
    assert second.data["turns"] == len(history)


def test_what_is_not_known_is_left_out():
    call = replace(run(*conversation("ollama", stream=False))[0], usage=ABSENT, system=ABSENT, response=None)
    data = told([call])[0].data
    missing = {"tokens_in", "tokens_out", "system", "system_digest", "answered", "bytes_in", "id", "peer", "partial"}
    assert not missing & data.keys()
    assert None not in data.values() and "" not in data.values()


def test_an_mcp_call_of_a_known_server_is_a_behaviour():
    events = told(over_pipe("initialize.lines"), replace(HERE, source="stdio", peer=12))
    calls = [e for e in events if e.data["method"] == "tools/call"]
    server = calls[0].data["server"]
    assert calls[0].behaviour == f"mcp:{server}/{calls[0].data['tool']}"
    assert calls[0].data["peer"] == 12 and calls[0].data["source"] == "stdio" and calls[0].data["transport"] == "stdio"
    listed = next(e for e in events if e.data["method"] == "tools/list")
    assert listed.behaviour is None and all("=" in word for word in listed.data["tools"].split())


def test_a_tool_of_an_unknown_server_is_no_behaviour():
    calls = [c for c in over_pipe("initialize.lines") if c.method == "tools/call"]
    assert told([replace(calls[0], server=ABSENT)])[0].behaviour is None


def test_a_slash_in_a_servers_name_moves_no_border():
    call = next(c for c in over_pipe("initialize.lines") if c.method == "tools/call")
    named = replace(call, server=Fact(Server("a/b", "1", ""), "self_reported"), tool="c")
    assert told([named])[0].behaviour == "mcp:a\\x2fb/c"


def test_a_name_is_one_word_that_cannot_forge_a_digest():
    assert spelled("read=ab12 write") == "read\\x3dab12\\x20write"


def test_who_serves_a_model_has_not_asked_for_its_tools():
    call = run(*conversation("anthropic", stream=False))[0]
    served = replace(call, calls=tuple(replace(c, place=replace(c.place, role="server")) for c in call.calls))
    assert {e.behaviour for e in told([served])} == {None}


def test_what_cannot_be_read_is_told_by_the_coverage_of_its_process():
    call = run(*conversation("anthropic", stream=False))[0]
    assert told([Uncovered(call.place, "websocket", "no reader")]) == []
    event = Teller(node="n1", epoch="e1", mark="t").coverage(3.0, {"rung": "none", "reason": ""}, context=HERE)
    assert (event.kind, event.time, event.data["rung"], "reason" in event.data) == ("coverage", 3.0, "none", False)


def test_ids_grow_though_events_come_late():
    call = run(*conversation("anthropic", stream=False))[0]
    numbers = [int(e.id.rpartition("/")[2].rstrip("t")) for e in told([call, call])]
    assert numbers == sorted(set(numbers))


HOSTILE = "\ud800" + "\U0001f600" * 200 + '"\\\n\x1b= ' * 60


def hostile(call):
    """A call whose every text is as long and as unpleasant as the decoder lets it be."""
    text = Text(HOSTILE * 200, "d" * 64, 1 << 60)
    label = Fact(HOSTILE[:256], "verified")
    tool = replace(call.calls[0], id=label, name=HOSTILE[:256], arguments=text, partial=(HOSTILE,) * 9)
    usage = Fact(replace(call.usage.value, input=1 << 80), "self_reported")
    return replace(
        call,
        place=replace(call.place, host="h" * 255, path="/ü" * 256),
        **dict.fromkeys(("model_asked", "model_answered", "finish", "response_id", "continues"), label),
        history=(Message("r" * 32, "d" * 64, "c" * 64, 9),) * 8192,
        user_turn=Fact(text, "verified"),
        error=Fact(text, "verified"),
        tools=(ToolDefinition(HOSTILE[:256], "d" * 64),) * 2048,
        results=(ToolResult(HOSTILE[:256], HOSTILE[:256], text),) * 512,
        calls=(tool,) * 512,
        usage=usage,
        partial=(HOSTILE, HOSTILE[1:]) * 9,
    )


def test_no_event_outgrows_a_frame_and_what_was_cut_is_said():
    events = told([hostile(run(*conversation("anthropic", stream=False))[0])])
    sizes = [len(codec.encode(e)) for e in events]
    assert max(sizes) < LARGEST and len(events) == 513
    data = events[0].data
    assert len(data["user_turn"].encode()) <= 2048
    assert {w.partition(":")[0] for w in data["partial"].split()} >= {"results", "calls", "tools"}
    assert "tokens_in" not in data
    assert len(json.loads(data["history"])) == 48
    assert all(len(w.partition("=")[2]) == 64 for w in data["tools"].split())


def test_the_newest_of_a_long_history_are_kept_in_order():
    call = run(*conversation("anthropic", stream=False))[0]
    many = tuple(Message("user", f"{n:064}", f"{n:064}", 1) for n in range(300))
    data = told([replace(call, history=many)])[0].data
    assert [int(row[1]) for row in json.loads(data["history"])] == list(range(252, 300))
    assert data["turns"] == 300
