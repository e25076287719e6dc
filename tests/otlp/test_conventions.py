"""Every convention tells the same call as the same events; words are hashed as the decoder of captured bytes hashes them."""

from __future__ import annotations

import doctest
import importlib
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.classes.known import Known
from classifier.classes.pins import Pins
from classifier.otlp import agents, attributes, callers, conventions, events, messages, names, shapes, telemetry
from classifier.otlp.intake import Intake
from classifier.otlp.replies import JSON
from classifier.otlp.telemetry import Log, Span
from classifier.otlp.translating import translate
from classifier.policy import Policy as Thresholds
from classifier.settings import OtlpLimits
from tests.factories import identity, replica
from tests.otlp import golden
from tests.otlp.bodies import MEDIA, NOW, SPAN, TRACE, encoded, log, logs, span, traces
from wire import codec
from wire.digests import sha256, system_prompt
from wire.redact import Policy, Redactor
from wire.turns import ORIGIN, Turn, Wanted, history, turn_digest

NAMES = ("attributes", "callers", "json_mapping", "messages", "replies", "telemetry")
QUESTION = Turn("user", golden.ASKED)
ANSWER = Turn("assistant", golden.SAID, (Wanted("x", "lookup_ticket", golden.ARGUMENTS),))


class Sink:
    """Keeps what comes."""

    def __init__(self):
        self.events, self.refusals, self.stocks = [], [], {}

    def accept(self, frames):
        self.events += [codec.decode(frame.data) for frame in frames]
        return len(frames)

    def refuse(self, *told):
        self.refusals.append(told)

    def names(self):
        return {"lab/shop/Deployment/cart/cart", "lab/shop/Deployment/pay/pay"}

    def told(self, view):
        return view(Known(Thresholds(), NOW, {}, Pins(), {}, self.stocks))


def told(*requests, media=JSON, wait=0.0, settled=True, now=NOW):
    """The events of some requests, one after the other."""
    sink = Sink()
    intake = Intake(sink, OtlpLimits(wait=wait), clock=lambda: now)
    for request in requests:
        signal = "traces" if "resourceSpans" in request else "logs"
        intake.take(signal, media, encoded(request, media), "", identity())
    if settled:
        intake.settle(all_of_it=True)
    return sink.events


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_run(name):
    done = doctest.testmod(importlib.import_module(f"classifier.otlp.{name}"))
    assert done.failed == 0 and done.attempted > 0


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("name", [*golden.TRACES, *golden.LOGS])
def test_a_call_is_told_alike_by_every_convention(name, media):
    requests = golden.LOGS[name] if name in golden.LOGS else (golden.TRACES[name],)
    found = told(*requests, media=media)
    assert [e.kind for e in found] == ["llm", "tool"]
    llm, tool = found[0].data, found[1].data
    assert (llm["model_asked"], llm["model_answered"]) == ("gpt-5", "gpt-5-2026-08-01")
    assert (llm["tokens_in"], llm["tokens_out"], llm["turns"]) == (21, 9, 1)
    assert (llm["source"], llm["basis"], llm["role"]) == ("otlp", "self_reported", "client")
    assert llm["finish"].startswith("tool") and llm["provider"].startswith("openai")
    assert llm["traceparent"] == f"00-{TRACE}-{SPAN}-01" and (llm["began"], llm["ended"]) == (NOW - 3, NOW - 1)
    assert "4111" not in str(llm) and llm["user_turn"].endswith("card [card].")
    assert llm["user_turn_digest"] == sha256(golden.ASKED)
    (message,) = history((QUESTION,))
    assert json.loads(llm["history"]) == [["user", message.digest, message.chain]]
    assert llm["answer"] == turn_digest(ANSWER)[0]
    assert json.loads(llm["calls"])[0] | {"digest": ""} == {
        "id": "call_1",
        "name": "lookup_ticket",
        "digest": "",
        "index": 0,
    }
    arguments = Redactor(Policy()).arguments(golden.ARGUMENTS)
    assert (tool["name"], tool["id"], tool["llm"], tool["index"]) == ("lookup_ticket", "call_1", found[0].id, 0)
    assert (tool["arguments"], tool["arguments_digest"]) == (arguments.redacted, arguments.digest)
    assert found[1].behaviour == "tool:lookup_ticket" and found[0].behaviour is None
    assert {e.replica for e in found} == {replica()} and all(e.time == NOW - 1 for e in found)
    assert "partial" not in llm


@pytest.mark.parametrize("name", ["genai-structured", "genai-json", "openllmetry", "openinference", "ai-sdk"])
def test_the_system_prompt_and_the_tools_that_were_offered_are_told(name):
    llm = told(golden.TRACES[name])[0].data
    assert llm["system"] == system_prompt([golden.SYSTEM]).identity
    assert llm["tools"].startswith("lookup_ticket=") and llm["tools"].count("=") == 1


def test_a_response_id_a_host_and_an_agent_are_told_where_a_convention_has_them():
    llm = told(golden.TRACES["genai-json"])[0].data
    assert (llm["response_id"], llm["host"]) == ("resp_1", "api.openai.com")
    assert (llm["agent"], llm["conversation"]) == ("support", "conv_1")
    assert told(golden.TRACES["openllmetry"])[0].data["host"] == "api.openai.com"


@pytest.mark.parametrize("name", golden.TOOLS)
def test_the_run_of_a_tool_is_told(name):
    (found,) = told(traces(golden.tool_run(**golden.TOOLS[name])))
    assert (found.kind, found.behaviour, found.data["ran"]) == ("tool", "tool:lookup_ticket", 1)
    assert found.data["arguments"] == '{"id":"ZD-88213"}' and found.data["result"] == golden.RESULT


@pytest.mark.parametrize("name", golden.MCP)
def test_a_message_to_an_mcp_server_is_told(name):
    title, a = golden.MCP[name]
    (found,) = told(traces(span(title, attributes=a)))
    assert (found.kind, found.data["method"], found.data["tool"]) == ("mcp", "tools/call", "lookup_ticket")
    assert found.behaviour is None and found.data["result_digest"] == sha256(golden.RESULT)
    if name == "semconv":
        assert (found.data["transport"], found.data["protocol"], found.data["id"]) == ("stdio", "2025-11-25", "3")


def test_a_known_server_makes_a_behaviour():
    a = golden.MCP["semconv"][1] | {"mcp.server.name": "a/b"}
    (found,) = told(traces(span(attributes=a)))
    assert found.behaviour == "mcp:a\\x2fb/lookup_ticket"


def test_claude_code_tells_calls_tools_and_servers_in_log_records():
    found = told(golden.CLAUDE)
    llm, server, bash = sorted(found, key=lambda e: e.kind)
    assert (llm.kind, llm.data["model_asked"], llm.data["tokens_out"], llm.data["provider"]) == (
        "llm", "claude-opus-5", 30, "anthropic",
    )  # fmt: skip
    assert llm.data["ended"] - llm.data["began"] == 2.5 and llm.data["partial"] == "words:not-told"
    assert llm.data["conversation"] == "s-1"
    assert (bash.behaviour, bash.data["id"], bash.data["service"]) == ("tool:Bash", "toolu_1", "claude-code")
    assert (server.kind, server.behaviour, server.data["failed"]) == ("mcp", "mcp:tickets/lookup", 1)


def test_codex_tells_calls_and_tools_in_log_records():
    llm, tool = told(golden.CODEX)
    assert (llm.data["model_asked"], llm.data["tokens_in"], llm.data["tokens_out"]) == ("gpt-5.1-codex", 800, 200)
    assert (tool.behaviour, tool.data["arguments"], tool.data["id"]) == ("tool:shell", '{"command":["ls"]}', "call_9")


def test_who_serves_a_model_only_passes_on_what_it_asks_for():
    served = span(attributes=golden.NEW | {"gen_ai.output.messages": golden.OUTPUT}) | {"kind": 2}
    for media in MEDIA:
        llm, tool = told(traces(served), media=media)
        assert (llm.data["role"], tool.data["role"], tool.behaviour) == ("server", "server", None)


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        pytest.param('"quoted"', "quoted", id="json-text"),
        pytest.param('"not', '"not', id="a-quote"),
        pytest.param('"a" and "b"', '"a" and "b"', id="two-quotes"),
        pytest.param({"a": 1}, '{"a":1}', id="structure"),
        pytest.param('{"a": 1}', '{"a":1}', id="json"),
    ],
)
def test_a_tools_result_is_told_as_it_was(result, wanted):
    (found,) = told(traces(golden.tool_run(**golden.TOOLS["execute_tool"] | {"gen_ai.tool.call.result": result})))
    assert found.data["result"] == wanted


def test_what_is_about_something_else_gives_no_event():
    assert told(golden.OTHERS, logs(log("exception", "oh"), log("claude_code.tool_decision"))) == []


def test_results_of_tools_come_with_the_next_request():
    said = [
        {"role": "user", "content": golden.ASKED},
        {"role": "assistant", "content": golden.SAID, "tool_calls": [golden.API_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": golden.RESULT},
    ]
    spelt = [
        *golden.INPUT,
        {"role": "assistant", "parts": golden.OUTPUT[0]["parts"]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": golden.RESULT}]},
    ]
    rows = []
    for messages_ in (said, spelt):
        (llm,) = told(traces(span(attributes=golden.NEW | {"gen_ai.input.messages": json.dumps(messages_)})))
        rows.append((json.loads(llm.data["history"]), json.loads(llm.data["results"])))
    assert rows[0] == rows[1]
    assert rows[0][1] == [
        {"id": "call_1", "digest": sha256(golden.RESULT), "text": golden.RESULT, "length": 32, "failed": 0}
    ]
    chain = history((QUESTION, ANSWER))[-1]
    assert rows[0][0][1] == ["assistant", chain.digest, chain.chain] and rows[0][0][1][2] != ORIGIN


def test_secrets_of_words_arguments_and_names_are_masked():
    key = "sk-" + "a1b2c3d4" * 5
    a = golden.NEW | {"gen_ai.agent.name": key, "gen_ai.input.messages": json.dumps([{"role": "user", "content": key}])}
    tool = golden.TOOLS["execute_tool"] | {
        "gen_ai.tool.call.arguments": {"password": "hunter2"},
        "gen_ai.tool.call.id": "c",
    }
    found = told(
        traces(span(attributes=a), golden.tool_run(**tool)),
    )
    assert key not in str(found) and "hunter2" not in str(found) and "[named_secret]" in str(found)


def test_an_event_fits_a_frame_however_much_is_told():
    big = "x" * 200_000
    turns = [{"role": "user", "content": big}] * 30
    a = (
        golden.NEW
        | {
            "gen_ai.input.messages": json.dumps(turns),
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "tool_call", "id": str(n), "name": "n" * 300} for n in range(600)],
                    }
                ]
            ),
            "gen_ai.tool.definitions": json.dumps([{"name": f"t{n}"} for n in range(3000)]),
        }
        | dict.fromkeys(("gen_ai.response.id", "gen_ai.agent.name", "server.address", "error.type"), big)
    )
    found = told(traces(span(big, attributes=a, failed=True), scope=big, resource={"service.name": big}))
    assert max(len(codec.encode(e)) for e in found) < 48 << 10 and len(found) == 513
    assert "tools:the-first" in found[0].data["partial"]


def test_of_a_system_prompt_without_end_the_beginning_is_told():
    texts = ["/a." * 500_000, *(str(n) for n in range(2000))]
    a = golden.NEW | {"gen_ai.input.messages": json.dumps([{"role": "system", "content": t} for t in texts])}
    (found,) = told(traces(span(attributes=a)))
    assert found.data["partial"] == f"system:the-first-{events.SYSTEM}-characters-are-told" and found.data["system"]


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        pytest.param(NOW - 3, NOW - 1, 1, id="now"),
        pytest.param(NOW - 9000, NOW - 7200, 0, id="long-ago"),
        pytest.param(NOW, NOW + 3600, 0, id="to-come"),
        pytest.param(NOW - 1, NOW + 30, 1, id="a-clock-ahead"),
        pytest.param(0, NOW - 1, 1, id="endless"),
        pytest.param(NOW, NOW - 5, 1, id="backwards"),
    ],
)
def test_only_what_is_of_now_is_taken_and_no_time_is_ahead_of_ours(start, end, wanted):
    found = told(traces(span(start=start, end=end, attributes=golden.NEW)))
    assert len(found) == wanted
    assert all(e.data["began"] <= e.time <= NOW and e.time - e.data["began"] <= 86_400 for e in found)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(
    st.sampled_from([n for v in vars(names).values() if isinstance(v, tuple) for n in v]
                    + ["gen_ai.response.finish_reasons", "ai.operationId", "openinference.span.kind", "mcp.method.name",
                       "llm.input_messages.0.message.role", "gen_ai.prompt.0.tool_calls.0.name", "llm.tools.0.tool.json_schema"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["chat", "execute_tool", "LLM", "TOOL", '[{"role":[],"parts":{}}]', '[{"parts":[{"type":"tool_call"}]}]',
                       '{"messages":7}', '[[1]]', '"x"', '[{"content":[{"type":"text"}]}]', "{\"message\":{}}"])
    | st.lists(st.text(max_size=3) | st.dictionaries(st.sampled_from(["role", "parts", "content", "name", "function"]),
                                                    st.text(max_size=3) | st.none()), max_size=3),
    max_size=9,
))  # fmt: skip
def test_attributes_of_any_shape_make_events_or_none(found):
    batch = telemetry.Batch(
        [Span(TRACE, SPAN, "", "n", NOW - 1, NOW, found, (Log(NOW, "", "", "gen_ai.choice", None, found),))]
    )
    batch.logs += [
        Log(NOW, TRACE, SPAN, name, found, found) for name in ("gen_ai.user.message", "claude_code.tool_result")
    ]
    maker = events.Maker(Redactor(Policy()))
    for said in translate(batch, NOW).said:
        for event in maker.events(said, replica(), {}):
            assert codec.decode(codec.encode(event)) == event


def test_every_name_that_is_read_is_in_the_table_once():
    every = Counter((table, n) for table, v in vars(names).items() if isinstance(v, tuple) for n in v)
    assert set(every.values()) == {1}


def test_parts_of_the_modules_stand_for_themselves():
    call = shapes.Llm(asked="a")
    shapes.fill(call, shapes.Llm(asked="b", answered="c"))
    assert (call.asked, call.answered) == ("a", "c")
    assert attributes.opened("{broken") == "{broken" and messages.turns("hi") == (Turn("user", "hi"),)
    assert agents.of_log(Log(0.0, "", "", "other")) is None
    assert conventions.of_span(Span(TRACE, SPAN, "", "n", 0, 0)) is None
    assert callers.conflicts({}, identity(), set) == ()
