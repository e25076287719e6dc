"""Every API, whole and streamed, tells the same story; see tests/fixtures/applayer/README.md."""

import json

import pytest

from sensor.observe.applayer.records import ToolCall, Usage
from tests.observe.applayer.wires import (
    APIS,
    PACK,
    PATHS,
    answer,
    ask,
    calls,
    conversation,
    fixture,
    request,
    run,
    streamed,
)

WITHOUT_IDS = ("gemini", "ollama")
MODELS = {
    "openai-chat": "gpt-5-mini",
    "openai-responses": "gpt-5-mini",
    "anthropic": "claude-sonnet",
    "gemini": "gem-pro",
    "bedrock": "maker.model-v1:0",
    "ollama": "qwen3:8b",
}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
every = pytest.mark.parametrize("api", APIS)


def first(api, stream):
    return calls(run(*conversation(api, stream=stream)))[0]


@both
@every
def test_the_api_is_told_by_the_body(api, stream):
    call = first(api, stream)
    assert (call.api.value, call.api.basis, call.partial) == (api, "verified", ())
    assert call.streamed is stream


@both
@every
def test_the_model_asked_and_the_model_that_answered_are_two_facts(api, stream):
    call = first(api, stream)
    assert (call.model_asked.value, call.model_asked.basis) == (MODELS[api], "verified")
    told = ("answering-model-1", "self_reported") if api != "bedrock" else (None, "absent")
    assert (call.model_answered.value, call.model_answered.basis) == told


@both
@every
def test_the_users_words_are_redacted_and_measured(api, stream):
    turn = first(api, stream).user_turn.value
    assert turn.redacted == "Ticket ZD-88213, card [card], please look."
    assert turn.length == len("Ticket ZD-88213, card 4111 1111 1111 1111, please look.")
    assert turn.masked == (("card", 1),)


@both
@every
def test_parallel_tool_calls_are_put_together_from_interleaved_deltas(api, stream):
    call = first(api, stream)
    assert [(c.name, c.arguments.redacted) for c in call.calls] == [
        ("lookup_ticket", '{"id":"ZD-88213"}'),
        ("search", '{"limit":5,"query":"export"}'),
    ]
    assert [c.id.value for c in call.calls] == ([None, None] if api in WITHOUT_IDS else ["call_a1", "call_b2"])
    assert call.text.value.redacted == "I will look."


@both
@every
def test_tool_calls_are_records_of_their_own_too(api, stream):
    records = run(*conversation(api, stream=stream))
    assert tuple(r for r in records if isinstance(r, ToolCall))[:2] == calls(records)[0].calls


@both
@every
def test_tokens_and_the_reason_to_stop(api, stream):
    call = first(api, stream)
    cached = None if api == "ollama" else 64
    assert call.finish.value == "tool_calls"
    assert (call.usage.value.input, call.usage.value.output, call.usage.value.cache_read) == (120, 34, cached)
    assert isinstance(call.usage.value, Usage) and call.usage.basis == "self_reported"


@both
@every
def test_a_later_history_holds_the_digest_of_the_answer(api, stream):
    one, two = calls(run(*conversation(api, stream=stream)))
    assert [m.role for m in two.history] == ["user", "assistant", *(["tool"] * (len(two.history) - 2))]
    assert one.answer.value.digest == two.history[1].digest
    assert one.answer.value.chain == two.history[1].chain


@both
@every
def test_results_of_tools_come_with_the_next_request(api, stream):
    one, two = calls(run(*conversation(api, stream=stream)))
    assert one.results == ()
    assert [r.content.redacted for r in two.results] == ["The customer asks for an export.", "2 hits"]
    if api in WITHOUT_IDS:
        assert [r.name for r in two.results] == ["lookup_ticket", "search"]
    else:
        assert [r.id for r in two.results] == ["call_a1", "call_b2"]


@both
@every
def test_a_prompt_is_the_same_on_another_day_in_another_directory(api, stream):
    one, two = calls(run(*conversation(api, stream=stream)))
    assert one.system.value.identity == two.system.value.identity
    assert one.system.value.digest != two.system.value.digest
    assert len(one.system.value.blocks) == 2


@every
def test_a_tool_is_hashed_whole(api):
    one, two = calls(run(*conversation(api, stream=False)))
    assert [t.name for t in one.tools] == ["lookup_ticket", "search"]
    assert one.tools[0] == two.tools[0]
    changed = fixture(api, "ask.json").replace(b'"id": {', b'"id2": {')
    (other,) = calls(run(request(PATHS[api][0], changed), answer(fixture(api, "answer.json"))))
    assert other.tools[0].name == "lookup_ticket" and other.tools[0].digest != one.tools[0].digest


@pytest.mark.parametrize("coding", list(PACK))
@both
@every
def test_codings_and_chunks_change_nothing(api, stream, coding):
    body, media = streamed(api) if stream else (fixture(api, "answer.json"), "application/json")
    (plain,) = calls(run(ask(api, stream=stream), answer(body, media)))
    (coded,) = calls(
        run(ask(api, stream=stream, chunks=50, coding=coding), answer(body, media, chunks=33, coding=coding))
    )
    for name in (
        "api",
        "model_asked",
        "model_answered",
        "history",
        "user_turn",
        "tools",
        "answer",
        "usage",
        "finish",
        "partial",
    ):
        assert getattr(coded, name) == getattr(plain, name)


@every
def test_no_host_name_and_no_known_path_is_needed(api):
    body = fixture(api, "ask.json")
    (call,) = calls(run(request("/gw/7", body), answer(fixture(api, "answer.json"))))
    assert call.api.value == api


@every
def test_an_error_is_an_answer(api):
    problem = json.dumps({"error": {"message": "over quota", "type": "x"}}).encode()
    (call,) = calls(run(ask(api), answer(problem, status=429)))
    assert call.error.value.redacted == "over quota" and call.place.status == 429
    assert call.answer.basis == "absent" and call.partial == ()


def test_gemini_streams_a_list_where_nobody_asked_for_events():
    pieces = [line[6:] for line in fixture("gemini", "answer.sse").splitlines() if line.startswith(b"data: ")]
    (call,) = calls(run(ask("gemini", stream=True), answer(b"[" + b",\r\n".join(pieces) + b"]", chunks=40)))
    assert call.text.value.redacted == "I will look." and len(call.calls) == 2 and call.streamed


def test_code_assist_nests_both_sides():
    body = json.dumps({"model": "gem-pro", "request": json.loads(fixture("gemini", "ask.json"))}).encode()
    back = json.dumps({"response": json.loads(fixture("gemini", "answer.json"))}).encode()
    (call,) = calls(run(request("/v1internal:generateContent", body), answer(back)))
    assert (call.api.value, call.model_asked.value, len(call.calls)) == ("gemini", "gem-pro", 2)


@both
def test_anthropic_inside_bedrock_is_bedrock(stream):
    import base64

    from tests.observe.applayer.wires import AWS, aws_frame

    body = json.loads(fixture("anthropic", "ask.json"))
    del body["model"]
    asked = json.dumps(body | {"anthropic_version": "bedrock-2023-05-31"}).encode()
    data, media = fixture("anthropic", "answer.json"), "application/json"
    if stream:
        events = [line[6:] for line in fixture("anthropic", "answer.sse").splitlines() if line.startswith(b"data: ")]
        chunk = [json.dumps({"bytes": base64.b64encode(e).decode(), "p": "abc"}).encode() for e in events]
        data, media = b"".join(aws_frame("chunk", c) for c in chunk), AWS
    path = "/model/maker.model-v1%3A0/invoke" + ("-with-response-stream" if stream else "")
    (call,) = calls(run(request(path, asked), answer(data, media, chunks=50)))
    assert call.model_asked.value == "maker.model-v1:0"
    assert [c.id.value for c in call.calls] == ["call_a1", "call_b2"]
    assert call.text.value.redacted == "I will look."
    assert call.partial == ()


def test_ollama_generate():
    asked = {"model": "m", "prompt": "hi", "system": "be short", "stream": False}
    back = {
        "model": "m",
        "response": "ho",
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 3,
        "eval_count": 4,
    }
    (call,) = calls(run(request("/api/generate", json.dumps(asked).encode()), answer(json.dumps(back).encode())))
    assert (call.api.value, call.text.value.redacted, call.usage.value.output) == ("ollama", "ho", 4)


@pytest.mark.parametrize(
    ("path", "asked", "back"),
    [
        pytest.param("/v1/embeddings", {"model": "e", "input": "x"}, {"object": "list", "data": []}, id="embeddings"),
        pytest.param("/x", {"model": "e", "input": "x"}, {"object": "list", "data": []}, id="embeddings-elsewhere"),
        pytest.param(
            "/v1/messages/count_tokens",
            {"model": "c", "messages": [{"role": "user", "content": "x"}]},
            {"input_tokens": 3},
            id="count",
        ),
        pytest.param("/v1/messages/batches", {"requests": []}, {"id": "b"}, id="batches"),
        pytest.param("/api/event_logging", {"events": [{"model": "c"}]}, {"ok": True}, id="telemetry"),
        pytest.param("/chat", {"messages": ["a", "b"]}, {"ok": True}, id="other-messages"),
        pytest.param(
            "/v1/completions", {"model": "m", "prompt": "x"}, {"choices": [{"text": "y"}]}, id="old-completions"
        ),
    ],
)
def test_what_is_no_call_gives_no_record(path, asked, back):
    assert run(request(path, json.dumps(asked).encode()), answer(json.dumps(back).encode())) == []


def test_a_prompt_of_a_mebibyte_is_whole():
    body = json.loads(fixture("anthropic", "ask.json"))
    body["messages"][0]["content"] = "word " * (1 << 18)
    sent = request("/v1/messages", json.dumps(body).encode())
    (call,) = calls(run(sent, answer(fixture("anthropic", "answer.json")), step=16384))
    assert call.partial == () and call.user_turn.value.length == 5 << 18 and call.user_turn.value.cut
    assert len(call.user_turn.value.redacted) == 64 << 10


def test_correlation_ids_are_kept_and_other_baggage_is_not():
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    rows = [
        ("traceparent", parent),
        ("baggage", "session.id=s-7, user.name=Ann, workflow_id=w;p=1"),
        ("X-Claude-Code-Session-Id", "cc-1"),
    ]
    (call,) = calls(
        run(
            ask("anthropic", headers=rows),
            answer(fixture("anthropic", "answer.json"), headers=[("request-id", "req_1")]),
        )
    )
    assert call.trace.traceparent == parent
    assert call.trace.baggage == (("session.id", "s-7"), ("workflow_id", "w"))
    assert call.trace.ids == (("x-claude-code-session-id", "cc-1"), ("request-id", "req_1"))


def test_a_record_names_the_bytes_and_times_it_rests_on():
    from sensor.observe.applayer.decoder import Decoder

    sent, received = ask("anthropic"), answer(fixture("anthropic", "answer.json"))
    d = Decoder()
    d.data("c", "sent", 0, sent[:50], 1.0)
    d.data("c", "sent", 50, sent[50:], 2.0)
    d.data("c", "received", 0, received[:50], 3.0)
    (call,) = calls(d.data("c", "received", 50, received[50:], 4.0))
    r, a = call.request, call.response
    assert (r.direction, r.start, r.end, r.began, r.ended) == ("sent", 0, len(sent), 1.0, 2.0)
    assert (a.direction, a.start, a.end, a.began, a.ended) == ("received", 0, len(received), 3.0, 4.0)
