"""HTTP/1.1 as it is really spoken: kept alive, pipelined, continued, upgraded, broken and picked up again."""

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import LlmCall, Uncovered
from tests.observe.applayer.wires import answer, ask, calls, fixture, request, run, streamed

ANSWER = fixture("anthropic", "answer.json")


def test_requests_that_are_pipelined_meet_their_answers():
    names = ["anthropic", "openai-chat", "gemini"]
    sent = b"".join(ask(n) for n in names)
    received = b"".join(answer(fixture(n, "answer.json")) for n in names)
    found = calls(run(sent, received))
    assert [c.api.value for c in found] == names
    assert [c.place.exchange for c in found] == [0, 1, 2]


def test_an_answer_waits_for_its_request():
    d = Decoder()
    assert d.data("c", "received", 0, answer(ANSWER), 1.0) == []
    sent = ask("anthropic")
    assert d.data("c", "sent", 0, sent[:100], 2.0) == []
    (call, *_) = d.data("c", "sent", 100, sent[100:], 3.0)
    assert isinstance(call, LlmCall) and call.partial == ()


def test_a_server_that_says_continue_has_not_answered():
    sent = ask("anthropic", headers=[("Expect", "100-continue")])
    (call,) = calls(run(sent, b"HTTP/1.1 100 Continue\r\n\r\n" + answer(ANSWER)))
    assert call.place.status == 200 and call.partial == ()


@pytest.mark.parametrize("method", ["HEAD"])
def test_an_answer_to_head_has_no_body(method):
    sent = request("/v1/models", method=method) + ask("anthropic")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    (call,) = calls(run(sent, head + answer(ANSWER)))
    assert call.answer.value and call.place.exchange == 1


def test_no_content_has_no_body():
    head = b"HTTP/1.1 204 No Content\r\n\r\n"
    (call,) = calls(run(request("/ping", method="GET") + ask("anthropic"), head + answer(ANSWER)))
    assert call.answer.value


def test_a_body_without_a_length_ends_with_the_connection():
    received = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + ANSWER
    (call,) = calls(run(ask("anthropic"), received))
    assert call.answer.value and call.partial == ()


def test_a_websocket_is_named_and_not_read():
    sent = request("/v1/responses", method="GET", headers=[("Connection", "Upgrade"), ("Upgrade", "websocket")])
    received = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
    (found,) = run(sent + b"\x81\x85abcdxxxxx", received)
    assert isinstance(found, Uncovered) and found.what == "websocket" and found.place.path == "/v1/responses"


def test_a_refused_upgrade_goes_on_as_http():
    sent = request("/x", method="GET", headers=[("Connection", "Upgrade"), ("Upgrade", "h2c")])
    (call,) = calls(run(sent + ask("anthropic"), answer(b"{}") + answer(ANSWER)))
    assert call.place.exchange == 1 and call.partial == ()


def test_a_tunnel_is_named_and_not_read():
    sent = b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n\x16\x03\x01"
    (found,) = run(sent, b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03")
    assert (found.what, found.place.exchange) == ("tunnel", 0)


def test_a_coding_that_nobody_knows_is_named():
    body = ask("anthropic", headers=[("Content-Encoding", "lz9")])
    found = run(body, answer(ANSWER))
    assert found[0].what == "coding:lz9"


def test_other_protocols_are_named_once():
    found = run(b"\x16\x03\x01\x02\x00\x01\x00" * 50, b"\x16\x03\x03", step=7)
    assert [r.what for r in found] == ["unknown"]


def test_after_garbage_the_next_request_is_found():
    sent = ask("anthropic") + b"\x00\x01garbage\r\n\r\n" * 20 + ask("openai-chat")
    received = answer(ANSWER) + answer(fixture("openai-chat", "answer.json"))
    one, two = calls(run(sent, received))
    assert one.partial == () and two.api.value == "openai-chat"
    assert two.answer.basis == "inferred"  # which answer is its own was concluded


def test_a_connection_joined_in_its_middle_is_picked_up():
    d = Decoder()
    d.open("c", whole=False)
    body, media = streamed("anthropic")
    tail = b'ge": 1}' * 30
    out = d.data("c", "sent", 0, tail + ask("anthropic"), 1.0)
    out += d.data("c", "received", 0, b"0\r\n\r\n" + answer(body, media, chunks=90), 2.0)
    (call,) = calls(out)
    assert call.model_asked.value and call.answer.basis == "inferred" and len(call.calls) == 2


def test_behind_a_lost_head_the_next_call_is_told():
    d = Decoder()
    first, second = ask("anthropic"), ask("openai-chat")
    one, two = answer(ANSWER), answer(fixture("openai-chat", "answer.json"))
    d.data("c", "sent", 0, first, 1.0)
    d.gap("c", "received", 0, len(one) - 5, 2.0)
    out = d.data("c", "received", len(one) - 5, one[-5:], 2.0)
    out += d.data("c", "sent", len(first), second, 3.0)
    out += d.data("c", "received", len(one), two, 4.0)
    lost, found = calls(out)
    assert lost.response is None and lost.partial == ("answer: not seen",)
    assert found.api.value == "openai-chat" and found.answer.value


def test_the_process_may_be_the_server():
    sent, received = ask("anthropic"), answer(ANSWER)
    d = Decoder()
    d.data("c", "received", 0, sent, 1.0)
    (call, *_) = d.data("c", "sent", 0, received, 2.0)
    assert call.place.role == "server" and call.request.direction == "received"


def test_a_key_may_be_used_again():
    d = Decoder()
    for _ in range(2):
        assert len(calls(run(ask("anthropic"), answer(ANSWER), decoder=d))) == 1


def test_bytes_seen_twice_count_once():
    sent = ask("anthropic")
    d = Decoder()
    for at in range(0, len(sent), 50):
        d.data("c", "sent", max(0, at - 20), sent[max(0, at - 20) : at + 50], 1.0)
    (call, *_) = d.data("c", "received", 0, answer(ANSWER), 2.0)
    assert call.partial == () and d.health.lost == 0


def test_a_missing_content_type_costs_nothing():
    body, _ = streamed("anthropic")
    for coded in (body, ANSWER):
        received = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(coded) + coded
        (call,) = calls(run(ask("anthropic"), received, step=11))
        assert len(call.calls) == 2 and call.partial == ()
