"""However a stream is cut, the records are the same; whatever is missing is named, and nothing is made up for it."""

import json
from dataclasses import fields, is_dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import LlmCall
from tests.observe.applayer.wires import (
    APIS,
    FIXTURES,
    H2,
    PACK,
    answer,
    ask,
    calls,
    conversation,
    fixture,
    run,
    streamed,
)

every = pytest.mark.parametrize("api", APIS)


def two(api, stream=True):
    """Bytes of both directions over HTTP/2."""
    h2 = H2()
    for number, name in ((1, "ask.json"), (3, "again.json")):
        h2.ask(number, "/v1/x", fixture(api, name))
        body, media = streamed(api) if stream else (fixture(api, "answer.json"), "application/json")
        h2.answer(number, body, media)
    return h2.sent, h2.received


def rpc_lines():
    rows = (FIXTURES / "mcp/initialize.lines").read_bytes().splitlines()
    return b"".join(r[2:] + b"\n" for r in rows if r[:1] == b">"), b"".join(
        r[2:] + b"\n" for r in rows if r[:1] == b"<"
    )


STREAMS = {
    **{f"h1-{api}": conversation(api, stream=True) for api in APIS},
    "h1-br": (ask("anthropic", coding="gzip", chunks=9), answer(*streamed("anthropic"), chunks=30, coding="br")),
    "h1-zstd": (ask("openai-chat", coding="zstd"), answer(*streamed("openai-chat"), chunks=30, coding="zstd")),
    "h1-crlf": (
        ask("anthropic"),
        answer(fixture("anthropic", "answer.sse").replace(b"\n", b"\r\n"), "text/event-stream", chunks=21),
    ),
    "h1-cr": (
        ask("anthropic"),
        answer(fixture("anthropic", "answer.sse").replace(b"\n", b"\r"), "text/event-stream", chunks=21),
    ),
    "h2-anthropic": two("anthropic"),
    "h2-openai-chat": two("openai-chat"),
    "stdio": rpc_lines(),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_cut_at_any_byte_changes_nothing(name):
    sent, received = STREAMS[name]
    whole = run(sent, received)
    assert whole
    for at in range(1, len(received), max(1, len(received) // 400)):
        d = Decoder()
        out = d.data("c", "sent", 0, sent, 5.0) + d.data("c", "received", 0, received[:at], 5.0)
        out += d.data("c", "received", at, received[at:], 5.0) + d.close("c", 5.0)
        assert out == whole, at
    for at in range(1, len(sent), max(1, len(sent) // 100)):
        d = Decoder()
        out = d.data("c", "sent", 0, sent[:at], 5.0) + d.data("c", "sent", at, sent[at:], 5.0)
        assert out + d.data("c", "received", 0, received, 5.0) + d.close("c", 5.0) == whole, at


@pytest.mark.parametrize("name", STREAMS)
def test_byte_by_byte_is_the_same(name):
    assert run(*STREAMS[name], step=1) == run(*STREAMS[name])


def shuffled(data, cuts, order):
    """Chunks of a stream in an order of their own; offsets say where they belong."""
    edges = sorted({0, len(data), *(c % len(data) for c in cuts)})
    chunks = [(a, data[a:b]) for a, b in pairwise(edges)]
    order.shuffle(chunks)
    return chunks


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(STREAMS)),
    cuts=st.lists(st.integers(1, 1 << 20), max_size=30),
    order=st.randoms(use_true_random=False),
)
def test_any_chunks_in_any_order_of_both_directions_give_the_same(name, cuts, order):
    """Chunks of the server may come before those of the client that they answer. MCP over pipes has no such order."""
    sent, received = STREAMS[name]
    rows = [("sent", *c) for c in shuffled(sent, cuts, order)] + [
        ("received", *c) for c in shuffled(received, cuts, order)
    ]
    if name == "stdio":  # both sides may speak first, so only each direction is shuffled
        rows.sort(key=lambda r: r[0] != "sent")
    else:
        order.shuffle(rows)
    d, out = Decoder(), []
    for direction, offset, data in rows:
        out += d.data("c", direction, offset, data, 5.0)
    out += d.close("c", 5.0)
    assert d.health.failed == 0 and d.health.lost == 0
    key = lambda r: (r.place.exchange, type(r).__name__, repr(r))  # noqa: E731 -- streams of HTTP/2 may end in any order
    assert sorted(out, key=key) == sorted(run(sent, received), key=key)


def facts(value):
    """All texts of a record."""
    if is_dataclass(value):
        for f in fields(value):
            yield from facts(getattr(value, f.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from facts(item)
    elif isinstance(value, str):
        yield value


def holes(name, *, sizes=(1, 37, 400)):
    sent, received = STREAMS[name]
    for direction, data in (("sent", sent), ("received", received)):
        for size in sizes:
            for at in range(0, len(data), max(1, len(data) // 60)):
                yield direction, at, min(size, len(data) - at)


@pytest.mark.parametrize("name", [n for n in STREAMS if n != "stdio"])
def test_a_hole_is_said_and_nothing_is_made_up_for_it(name):
    """Every value of a call with a hole is one of the whole call's, or absent; a changed one would be a guess."""
    sent, received = STREAMS[name]
    known = set()
    for call in calls(run(sent, received)):
        known |= {call.user_turn.value, call.system.value, call.model_asked.value, call.model_answered.value}
        known |= {call.finish.value, call.response_id.value, *(c.arguments for c in call.calls)}
    for direction, at, size in holes(name):
        out = calls(with_hole(sent, received, direction, at, size))
        for call in out:
            values = {call.user_turn.value, call.system.value, call.model_asked.value, call.model_answered.value}
            assert values | {call.finish.value, call.response_id.value} <= known | {None}
            assert call.partial or {c.arguments for c in call.calls} <= known
            for tool in call.calls:
                assert tool.partial or tool.arguments in known, (direction, at, size)


def with_hole(sent, received, direction, at, size):
    d, out = Decoder(), []
    for way, data in (("sent", sent), ("received", received)):
        if way != direction:
            out += d.data("c", way, 0, data, 5.0)
            continue
        out += d.data("c", way, 0, data[:at], 5.0)
        out += d.gap("c", way, at, size, 5.0)
        out += d.data("c", way, at + size, data[at + size :], 5.0)
    out += d.close("c", 5.0)
    assert d.health.failed == 0 and d.health.lost == size
    return out


@pytest.mark.parametrize("name", [n for n in STREAMS if n != "stdio"])
def test_a_hole_in_one_message_is_always_partial(name):
    """The first exchange alone: whatever byte is lost, no record claims to be whole."""
    sent, received = STREAMS[name]
    whole = calls(run(sent, received))
    ends = {"sent": whole[0].request.end, "received": whole[0].response.end}
    starts = {"sent": whole[0].request.start, "received": whole[0].response.start}
    for direction, at, size in holes(name, sizes=(1, 37)):
        if not starts[direction] <= at < ends[direction]:
            continue
        for call in calls(with_hole(sent, received, direction, at, size)):
            if call.place.exchange == 0 and call.request and call.request.start == starts["sent"]:
                assert call.partial, (direction, at, size)


@every
def test_a_hole_in_a_body_of_known_length_does_not_cost_the_next_call(api):
    sent, received = conversation(api, stream=False)
    one, two_ = calls(with_hole(sent, received, "received", 200, 20))
    assert one.partial and "20 bytes are missing at offset 200" in one.partial[0]
    assert two_.partial == () and two_.answer.value
    assert one.model_asked.value and one.answer.value is None


def test_behind_a_hole_in_an_event_stream_of_known_length_it_goes_on():
    body, media = streamed("anthropic")
    received = answer(body, media)
    at = received.index(b'"partial_json":" \\"export')
    (call,) = calls(with_hole(ask("anthropic"), received, "received", at, 5))
    assert call.finish.value == "tool_calls" and call.text.value.redacted == "I will look."
    first, second = call.calls
    assert second.partial and second.arguments.redacted != '{"limit":5,"query":"export"}'
    assert any("missing" in p for p in call.partial)
    assert first.arguments.redacted == '{"id":"ZD-88213"}'


@pytest.mark.parametrize("api", ["anthropic", "openai-chat"])
def test_behind_a_hole_in_a_chunked_event_stream_it_goes_on(api):
    """Servers stream in chunks, so one lost piece must not cost the end of the answer and all that follows."""
    body, media = streamed(api)
    head = answer(b"", media, chunks=1)[:-5]
    parts = [event + b"\n\n" for event in body.split(b"\n\n") if event]  # one event a chunk, as servers do
    received = head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
    received += answer(fixture(api, "answer.json"))
    at = received.index(b"look.")
    one, two_ = calls(with_hole(ask(api) + ask(api, "again.json"), received, "received", at, 20))
    assert one.finish.value == "tool_calls" and one.usage.value.output == 34 and one.partial
    assert [c.name for c in one.calls if not c.partial] == ["lookup_ticket", "search"]
    assert two_.partial == () and two_.answer.basis == "verified"


def test_a_chunk_that_never_comes_is_a_gap_after_a_while():
    sent, received = ask("anthropic"), answer(fixture("anthropic", "answer.json"))
    d = Decoder()
    d.data("c", "sent", 0, sent, 1.0)
    d.data("c", "received", 0, received[:300], 1.0)
    assert d.data("c", "received", 310, received[310:], 1.5) == []
    (call,) = [r for r in d.settle(9.0) if isinstance(r, LlmCall)]
    assert "answer: 10 bytes are missing at offset 300" in call.partial


def test_a_connection_that_ends_early_tells_what_came():
    sent, received = conversation("anthropic", stream=True)
    (call,) = calls(run(sent[: len(ask("anthropic", stream=True))], received[:900]))
    assert "answer: the connection ended in the middle" in call.partial
    assert call.model_answered.value == "answering-model-1" and call.finish.value is None


def test_a_request_without_an_answer_is_told_at_the_end():
    (call,) = calls(run(ask("anthropic"), b""))
    assert call.response is None and "answer: not seen" in call.partial and call.model_asked.value == "claude-sonnet"


@pytest.mark.parametrize("coding", [c for c in PACK if c])
def test_a_hole_in_a_coded_body_ends_its_reading(coding):
    body, media = streamed("anthropic")
    received = answer(body, media, coding=coding)
    (call,) = calls(with_hole(ask("anthropic"), received, "received", len(received) - 60, 9))
    assert call.partial and call.finish.value is None


def test_what_a_hole_left_of_a_request_is_not_taken_for_a_request():
    sent = ask("anthropic")
    at = sent.index(b"ZD-88213")
    (call,) = calls(with_hole(sent, answer(fixture("anthropic", "answer.json")), "sent", at, 4))
    assert (call.api.value, call.model_asked.basis, call.history) == ("anthropic", "absent", ())
    assert call.answer.value and call.partial == (f"request: 4 bytes are missing at offset {at}",)


def test_records_can_be_written():
    for call in calls(run(*conversation("anthropic", stream=True))):
        json.dumps(list(facts(call))).encode()
