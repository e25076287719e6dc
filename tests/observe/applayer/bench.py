"""How fast the decoder is: `python -m tests.observe.applayer.bench`. Prints the table of docs/applayer.md."""

import json
import statistics
import time

from sensor.observe.applayer.decoder import Decoder
from tests.observe.applayer.wires import H2, answer, chunked, fixture, request

CHUNK = 16 << 10
ROUNDS = 15


def prompt(size):
    """A request of an agent with a long history and some tools."""
    body = json.loads(fixture("anthropic", "ask.json"))
    turn = "The quick brown fox reads ticket 4711 and writes a line.\n" * 70
    body["messages"] = [
        {"role": ("user", "assistant")[n % 2], "content": turn} for n in range(max(1, size // len(turn)) | 1)
    ]
    body["stream"] = True
    return json.dumps(body).encode()


def reply(events):
    """A streamed answer, one event a chunk, as servers send it."""
    rows = fixture("anthropic", "answer.sse").split(b"\n\n")
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some words "}}
    delta = b"event: content_block_delta\ndata: " + json.dumps(said).encode()
    parts = [p + b"\n\n" for p in (*rows[:2], *[delta] * events, *rows[3:]) if p]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head, [chunked(p, len(p))[:-5] for p in parts] + [b"0\r\n\r\n"]


def feed(decoder, key, direction, pieces):
    """All pieces of one direction."""
    at = 0
    for piece in pieces:
        yield from decoder.data(key, direction, at, piece, 1.0)
        at += len(piece)


def cut(data, size=CHUNK):
    """Pieces as the capture sends them."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def timed(make):
    """Median milliseconds of a round."""
    times = []
    for n in range(ROUNDS):
        sent, received = make()
        decoder = Decoder()
        start = time.process_time()
        found = list(feed(decoder, n, "sent", sent)) + list(feed(decoder, n, "received", received))
        found += decoder.close(n, 2.0)
        times.append(time.process_time() - start)
        assert decoder.health.failed == 0 and found and not found[0].partial
    return statistics.median(times) * 1000


def halves(chunks):
    """Two reads an event: OpenSSL gives the chunk's head and its body apart."""
    return [p for c in chunks for p in (c[:4], c[4:])]


def over_http2(size, events):
    """The same over HTTP/2."""
    h2 = H2()
    h2.ask(1, "/v1/messages", prompt(size))
    h2.answer(1, b"".join(c.split(b"\r\n", 1)[1][:-2] for c in reply(events)[1][:-1]), "text/event-stream")
    return cut(h2.sent), cut(h2.received)


CASES = {
    "1 MB prompt, 200 events, two reads an event": lambda: (
        cut(request("/v1/messages", prompt(1_000_000))),
        [reply(200)[0], *halves(reply(200)[1])],
    ),
    "1 MB prompt, short answer": lambda: (
        cut(request("/v1/messages", prompt(1_000_000))),
        [answer(fixture("anthropic", "answer.json"))],
    ),
    "20 kB prompt, 200 events, two reads an event": lambda: (
        cut(request("/v1/messages", prompt(20_000))),
        [reply(200)[0], *halves(reply(200)[1])],
    ),
    "1 MB prompt gzipped": lambda: (
        cut(request("/v1/messages", prompt(1_000_000), coding="gzip")),
        [answer(fixture("anthropic", "answer.json"))],
    ),
    "1 MB prompt, 200 events, HTTP/2": lambda: over_http2(1_000_000, 200),
}


def foreign():
    """8 MB of an upload that is no call."""
    decoder, body = Decoder(), request("/upload", b"x" * (8 << 20))
    start = time.process_time()
    for _ in feed(decoder, 1, "sent", cut(body)):
        pass
    return (time.process_time() - start) * 1000


if __name__ == "__main__":
    for name, make in CASES.items():
        sent, received = make()
        size = sum(map(len, sent)) + sum(map(len, received))
        took = timed(make)
        print(f"| {name} | {size / 1e6:.2f} MB | {took:.1f} ms | {size / 1e3 / took:.0f} MB/s |")
    took = foreign()
    print(f"| 8 MB upload that is no call | 8.39 MB | {took:.1f} ms | {8389 / took:.0f} MB/s |")
