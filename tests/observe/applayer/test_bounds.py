"""Whatever comes, memory stays bounded, and what was dropped for it is counted."""

import json
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.limits import Limits
from sensor.observe.applayer.records import LlmCall
from tests.observe.applayer.wires import H2, ask, calls, request

MIB = 1 << 20
SMALL = Limits(body=MIB, event=MIB // 4, waiting=MIB // 4, connection=3 * MIB, total=8 * MIB, connections=64)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
BLOCK = 64 << 10


def peak(direction, pieces, *, before=b"", limits=SMALL, bound=10 * MIB):
    """Runs pieces through a decoder; fails where its memory grows past the bound."""
    d, at, out = Decoder(limits), 0, []
    if before:
        d.data("c", "sent", 0, before, 1.0)
    tracemalloc.start()
    for piece in pieces:
        out = (out + d.data("c", direction, at, piece, 1.0))[-100:]  # records are the caller's to keep
        at += len(piece)
    out += d.close("c", 2.0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert d.health.failed == 0
    assert most < bound, f"{most / MIB:.1f} MiB"
    return out, d


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def endless(data, total=16 * MIB):
    for _ in range(total // len(data)):
        yield data


def blanks(pack):
    """64 MiB of blanks, packed."""
    made = pack()
    return b"".join(made(b" " * BLOCK) for _ in range(64 * MIB // BLOCK)) + made(None)


def gz():
    state = zlib.compressobj(9, zlib.DEFLATED, 31)
    return lambda b: state.flush() if b is None else state.compress(b)


def deflate():
    state = zlib.compressobj(9)
    return lambda b: state.flush() if b is None else state.compress(b)


def br():
    state = brotli.Compressor(quality=5)
    return lambda b: state.finish() if b is None else state.process(b)


def zst():
    state = zstandard.ZstdCompressor(level=19).compressobj()
    return lambda b: state.flush() if b is None else state.compress(b)


BOMBS = {"gzip": gz, "deflate": deflate, "br": br, "zstd": zst}


@pytest.mark.parametrize("coding", BOMBS)
@pytest.mark.parametrize("side", ["request", "json", "sse"])
def test_a_bomb_does_not_unfold(coding, side):
    bomb = blanks(BOMBS[coding])
    assert len(bomb) < 200_000
    rows = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(bomb))
    if side == "request":
        sent = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + rows + bomb
        out, _ = peak("sent", [sent], bound=14 * MIB)
        reason = "request: body is over the limit"
    else:
        media = b"application/json" if side == "json" else b"text/event-stream"
        received = b"HTTP/1.1 200 OK\r\nContent-Type: " + media + b"\r\n" + rows + bomb
        out, _ = peak("received", [received], before=ask("anthropic"), bound=14 * MIB)
        reason = "answer: body is over the limit" if side == "json" else "answer: "
    (call,) = calls(out)
    assert any(p.startswith(reason) for p in call.partial)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(lambda: [b"POST / HTTP/1.1\r\nHost: x\r\nX: ", *endless(b"a" * BLOCK)], id="head"),
        pytest.param(lambda: [b"POST /", *endless(b"a" * BLOCK)], id="target"),
        pytest.param(lambda: [b"POST / HTTP/1.1\r\n", *endless(b"X-%d: y\r\n" % 7 * 5000)], id="many-headers"),
        pytest.param(
            lambda: [request("/v1/messages", b"", chunks=1)[:-5], b"1" * 19, *endless(b"1" * BLOCK)], id="chunk-head"
        ),
        pytest.param(lambda: endless(ask("anthropic"), 2 * MIB), id="unanswered-requests"),
        pytest.param(
            lambda: [b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{", *endless(b'"' * BLOCK)],
            id="json",
        ),
        pytest.param(lambda: endless(b"\x00\x01\x02\x03" * 5000), id="noise"),
        pytest.param(lambda: [b'{"a":"', *endless(b"x" * BLOCK)], id="line"),
        pytest.param(lambda: endless(b'{"jsonrpc":"2.0","id":"%s","method":"m"}\n' % (b"x" * 20000)), id="rpc-one-id"),
        pytest.param(
            lambda: (
                b'{"jsonrpc":"2.0","id":%d,"method":"m","params":{"a":"%s"}}\n' % (n, b"y" * 3000) for n in range(5000)
            ),
            id="rpc-unanswered",
        ),
    ],
)
def test_an_endless_client_is_bounded(pieces):
    peak("sent", pieces())


@pytest.mark.parametrize(
    ("media", "pieces"),
    [
        pytest.param(b"text/event-stream", lambda: endless(chunk(b"data: " + b"x" * BLOCK)), id="sse-line"),
        pytest.param(b"text/event-stream", lambda: endless(chunk(b"data: x\n" * 8000), MIB), id="sse-event"),
        pytest.param(b"text/event-stream", lambda: endless(chunk(b"event: x\n" * 8000), MIB), id="sse-names"),
        pytest.param(b"application/x-ndjson", lambda: endless(chunk(b"x" * BLOCK)), id="ndjson-line"),
        pytest.param(b"application/vnd.amazon.eventstream", lambda: endless(chunk(b"\0\0" * 9000)), id="aws"),
        pytest.param(b"application/json", lambda: endless(chunk(b"[" * BLOCK)), id="json"),
        pytest.param(b"", lambda: endless(chunk(b"[" * BLOCK)), id="no-type"),
        pytest.param(b"text/plain", lambda: endless(chunk(b"x" * BLOCK)), id="text"),
    ],
)
def test_an_endless_server_is_bounded(media, pieces):
    peak("received", [HEAD % media, *pieces()], before=ask("anthropic"))


def events(*values):
    return b"".join(b"data: " + json.dumps(v).encode() + b"\n\n" for v in values)


START = {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {}}}


def delta(n, index=0):
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": "y" * n}}


def block(index):
    return {
        "type": "content_block_start",
        "index": index,
        "content_block": {"type": "tool_use", "id": "i", "name": "n" * 200},
    }


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: delta(1), id="letters"),
        pytest.param(lambda n: delta(4000), id="words"),
        pytest.param(lambda n: delta(1, n), id="texts"),
        pytest.param(block, id="tools"),
    ],
)
def test_an_endless_answer_is_bounded(make):
    pieces = (chunk(events(*(make(n * 50 + k) for k in range(50)))) for n in range(150))
    out, _ = peak("received", [HEAD % b"text/event-stream", chunk(events(START)), *pieces], before=ask("anthropic"))
    assert out


def test_thousands_of_holes_are_bounded():
    d = Decoder(SMALL)
    d.data("c", "sent", 0, ask("anthropic"), 1.0)
    tracemalloc.start()
    for n in range(5_000):
        d.data("c", "received", 10 + n * 3, b"x", 1.0)
    assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    tracemalloc.stop()


def test_all_connections_together_are_bounded():
    d = Decoder(SMALL)
    body = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n{" + b" " * (MIB // 2)
    tracemalloc.start()
    for n in range(60):
        d.data(n, "sent", 0, body, 1.0)
        assert d.held <= SMALL.total
    assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    tracemalloc.stop()
    assert d.health.dropped["connection"] > 40


def test_the_connection_that_was_quiet_longest_goes_first_and_is_told():
    d = Decoder(Limits(connections=2))
    sent = ask("anthropic")
    d.data("old", "sent", 0, sent, 1.0)
    d.data("mid", "sent", 0, sent, 2.0)
    d.data("old", "sent", len(sent), b"", 3.0)
    (gone,) = d.data("new", "sent", 0, sent, 4.0)
    assert isinstance(gone, LlmCall) and gone.place.connection == "mid" and gone.partial
    assert d.health.dropped == {"connection": 1}


def test_held_returns_to_nothing():
    d = Decoder()
    for n in range(5):
        d.data(n, "sent", 0, request("/x", b'{"a": "' + b"x" * 20_000)[:-9], 1.0)
    assert d.held > 100_000
    d.finish(2.0)
    assert d.held == 0


def test_header_blocks_and_frames_of_http2_are_bounded():
    h2 = H2()
    frame = lambda size, kind, flags, stream: size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")  # noqa: E731
    flood = frame(0, 1, 0, 1) + frame(16000, 9, 0, 1) * 0 + (frame(16000, 9, 0, 1) + b"\0" * 16000) * 600
    peak("sent", [h2.sent, *(flood[i : i + BLOCK] for i in range(0, len(flood), BLOCK))])
    peak("sent", [h2.sent, frame(0xFFFFFF, 0, 0, 1), *endless(b"x" * BLOCK)])
    bomb = b"\x40\x01a\x7f\x81\x1f" + b"b" * 256 + b"\xbe" * 15000  # one field, named again and again
    peak("sent", [h2.sent, *(frame(len(bomb), 1, 4, 1 + 2 * n) + bomb for n in range(200))])


def test_deep_json_is_refused_and_nothing_else():
    deep = b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[%s%s]}'
    for levels in (50, 150, 900, 5000, 100_000):
        body = deep % (b'{"a":' * levels + b"1", b"}" * levels)
        out, d = peak("sent", [request("/v1/messages", body)], bound=14 * MIB)
        (call,) = calls(out)
        assert d.health.failed == 0
        assert ("request: nested too deep" in call.partial) is (levels > 99)


def test_numbers_of_any_size_are_read():
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":%s,"tools":[{"name":"t","x":%s}]}'
    for number in (b"1" * 50, b"1" * 5000, b"-1e999", b"1e309", b"0.1", b"NaN"):
        out, _ = peak("sent", [request("/v1/messages", body % (number, number))])
        assert len(calls(out)) == 1
