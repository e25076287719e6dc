"""HTTP/2 with the h2 library on both ends: many streams, joined late, with holes."""

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.limits import Limits
from tests.observe.applayer.wires import APIS, H2, PATHS, calls, fixture, run, streamed

STREAM = streamed("anthropic")


@pytest.mark.parametrize("api", APIS)
def test_every_api_over_http2(api):
    h2 = H2()
    h2.ask(1, PATHS[api][1], fixture(api, "ask.json"))
    h2.answer(1, *streamed(api))
    (call,) = calls(run(h2.sent, h2.received, step=100))
    assert (call.api.value, call.partial, call.place.stream) == (api, (), 1)
    assert [c.name for c in call.calls] == ["lookup_ticket", "search"]
    assert call.place.host == "model.example" and call.place.status == 200


def test_streams_that_interleave_are_kept_apart():
    h2 = H2()
    numbers = [1 + 2 * n for n in range(len(APIS))]
    for number, api in zip(numbers, APIS, strict=True):
        h2.ask(number, PATHS[api][1], fixture(api, "ask.json"))
    bodies = {n: streamed(api) for n, api in zip(numbers, APIS, strict=True)}
    for number, (_, media) in bodies.items():
        h2.answer(number, b"", media, end=False)
    left = {n: body for n, (body, _) in bodies.items()}
    while left:
        for number in list(left):
            h2.write(h2.server, number, left[number][:100], end=len(left[number]) <= 100)
            left[number] = left[number][100:]
            if not left[number]:
                del left[number]
        h2.exchange()
    found = sorted(calls(run(h2.sent, h2.received)), key=lambda c: c.place.stream)
    assert [c.api.value for c in found] == list(APIS) and {c.partial for c in found} == {()}


def test_a_prompt_of_a_mebibyte_in_many_frames():
    h2 = H2()
    body = fixture("anthropic", "ask.json").replace(b"please look", b"please look " * 90_000)
    h2.ask(1, "/v1/messages", body)
    h2.answer(1, *STREAM)
    (call,) = calls(run(h2.sent, h2.received, step=16384))
    assert call.partial == () and call.user_turn.value.length > 1 << 20


def late(h2, sent_from, received_from):
    """Records of a connection that is joined at these offsets."""
    d = Decoder()
    d.open("c", whole=False, client="sent")
    out = d.data("c", "sent", 0, h2.sent[sent_from:], 1.0)
    out += d.data("c", "received", 0, h2.received[received_from:], 2.0)
    assert d.health.failed == 0
    return out + d.close("c", 3.0)


def test_joined_late_the_bodies_are_read_and_the_headers_are_said_to_be_unknown():
    h2 = H2()
    rows = [("x-team", "desk"), ("authorization", "Bearer sk-abcdefghijklmnop1234")]
    h2.ask(1, "/v1/messages", fixture("anthropic", "ask.json"), rows)
    h2.answer(1, *STREAM)
    sent_from, received_from = len(h2.sent), len(h2.received)
    h2.ask(3, "/v1/messages", fixture("anthropic", "ask.json"), rows)
    h2.answer(3, *STREAM)
    (call,) = calls(late(h2, sent_from, received_from))
    assert call.model_asked.value == "claude-sonnet" and len(call.calls) == 2
    assert call.place.path == ""  # its name is in a table that was filled before us
    assert any("headers are not known" in p for p in call.partial)


def test_joined_late_what_is_told_afresh_is_known():
    h2 = H2()
    h2.ask(1, "/v1/messages", fixture("anthropic", "ask.json"))
    h2.answer(1, *STREAM)
    sent_from, received_from = len(h2.sent), len(h2.received)
    for number in (3, 5):
        h2.ask(number, "/new/path", fixture("anthropic", "ask.json"))
        h2.answer(number, *STREAM)
    found = calls(late(h2, sent_from, received_from))
    assert [c.place.path for c in found] == ["/new/path", "/new/path"]


@pytest.mark.parametrize("at", range(40, 1360, 97))
def test_joined_at_any_byte_nothing_breaks_and_later_calls_are_told(at):
    h2 = H2()
    for number in (1, 3, 5):
        h2.ask(number, "/v1/messages", fixture("anthropic", "ask.json"))
        h2.answer(number, *STREAM)
    found = calls(late(h2, at, at))
    assert found and found[-1].place.stream == 5 and found[-1].model_asked.value == "claude-sonnet"


def test_a_hole_inside_a_data_frame_leaves_the_other_calls_whole():
    h2 = H2()
    for number in (1, 3):
        h2.ask(number, "/v1/messages", fixture("anthropic", "ask.json"))
        h2.answer(number, *STREAM)
    at = h2.received.index(b"partial_json")
    d = Decoder()
    d.data("c", "sent", 0, h2.sent, 1.0)
    out = d.data("c", "received", 0, h2.received[:at], 2.0) + d.gap("c", "received", at, 10, 2.0)
    out += d.data("c", "received", at + 10, h2.received[at + 10 :], 2.0)
    one, two = calls(out)
    assert (one.partial and one.calls[0].partial) or one.calls[1].partial
    assert two.partial == () and two.answer.basis == "verified"
    assert one.finish.value == "tool_calls"


def test_a_reset_stream_is_told_as_far_as_it_came():
    h2 = H2()
    h2.ask(1, "/v1/messages", fixture("anthropic", "ask.json"))
    h2.answer(1, STREAM[0][:700], STREAM[1], end=False)
    h2.server.reset_stream(1)
    h2.exchange()
    (call,) = calls(run(h2.sent, h2.received, close=False))
    assert "answer: the stream was reset" in call.partial and call.model_answered.value


def test_grpc_is_named_once_a_connection():
    h2 = H2()
    for number in (1, 3):
        h2.client.send_headers(
            number,
            [
                (":method", "POST"),
                (":path", "/a.B/C"),
                (":scheme", "https"),
                (":authority", "h"),
                ("content-type", "application/grpc"),
            ],
        )
        h2.write(h2.client, number, b"\0\0\0\0\1x", end=True)
        h2.exchange()
    assert [r.what for r in run(h2.sent, h2.received)] == ["grpc"]


def test_streams_are_bounded():
    h2 = H2()
    h2.server.update_settings({3: 1000})
    h2.exchange()
    for n in range(40):
        head = [(":method", "POST"), (":path", "/v1/messages"), (":scheme", "https"), (":authority", "h")]
        h2.client.send_headers(1 + 2 * n, head)
        h2.write(h2.client, 1 + 2 * n, fixture("anthropic", "ask.json"), end=False)
        h2.exchange()
    d = Decoder(Limits(streams=8))
    out = d.data("c", "sent", 0, h2.sent, 1.0)
    assert d.health.dropped["stream"] == 32
    assert len(calls(out)) == 32 and all(c.partial for c in out)
