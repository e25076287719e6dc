"""Decoders of what agents say: HTTP/1.1, HTTP/2, event streams, packed bodies, the six model APIs, MCP, and noise.

A case is both directions of a connection and a seed, by which they come in pieces, with losses and repetitions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from sensor.observe.applayer.decoder import Decoder as Calls
from sensor.observe.applayer.told import Context, Teller
from tests.factories import replica
from tests.fuzz.damage import damaged, mutated
from tests.fuzz.decoder import Decoder
from tests.fuzz.kernel import LIMITS, Strict
from tests.observe.applayer.test_chunks import STREAMS
from tests.observe.applayer.wires import APIS, FIXTURES, PACK, PATHS, answer, ask, aws_frame, fixture, request, streamed
from wire import codec

AWS = "application/vnd.amazon.eventstream"
CONTEXT = Context(replica(), "tls", "c", 7, "/usr/bin/python3", "python3")
WORDS = (
    b"POST / HTTP/1.1\r\nHost: x\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"data: ",
    b"{",
    b"}",
    b"[",
    b'"jsonrpc":"2.0"',
    b"\0\0\x04\x08",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"5\r\n",
    b"Content-Length: 9\r\n",
)


class Talk(NamedTuple):
    """Both directions of a connection."""

    sent: bytes
    received: bytes
    seed: int = 0
    kind: str = ""  # "stdio": a pipe


def of_streams(names: Iterable[str], kind: str = "") -> list[Talk]:
    return [Talk(*STREAMS[name], kind=kind) for name in names]


def starting(prefix: str) -> list[str]:
    return [name for name in sorted(STREAMS) if name.startswith(prefix)]


def bytewise(rng: random.Random, whole: Talk) -> Talk:
    return Talk(damaged(rng, whole.sent), damaged(rng, whole.received), rng.randrange(1, 2**62), whole.kind)


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def events_of(rng: random.Random, api: str) -> tuple[bytes, str]:
    """A streamed answer whose events are mutated and at times out of order."""
    body, media = streamed(api)
    if media == AWS:
        rows = [line.split(b" ", 1) for line in fixture(api, "answer.events").splitlines()]
        _perhaps(rng, rows)
        return b"".join(aws_frame(k.decode(), dumped(mutated(rng, json.loads(p)))) for k, p in rows), media
    lines = body.split(b"\n")
    for at, line in enumerate(lines):
        head, brace, rest = line.partition(b"{")
        if brace and rng.random() < 0.6:
            lines[at] = head + dumped(mutated(rng, json.loads(brace + rest)))
    _perhaps(rng, lines)
    return b"\n".join(lines), media


def _perhaps(rng: random.Random, rows: list) -> None:
    if rng.random() < 0.3:
        rng.shuffle(rows)


def shaped(api: str, rng: random.Random, whole: Talk) -> Talk:
    """Bodies in the right frames and of the wrong shape."""
    if rng.random() < 0.3:
        return bytewise(rng, whole)
    asked = (mutated(rng, json.loads(fixture(api, name))) for name in ("ask.json", "again.json"))
    sent = b"".join(request(PATHS[api][1], dumped(body)) for body in asked)
    received = answer(*events_of(rng, rng.choice(APIS) if rng.random() < 0.2 else api), chunks=rng.choice([0, 50]))
    received += answer(dumped(mutated(rng, json.loads(fixture(api, "answer.json")))))
    return Talk(sent, received, rng.randrange(1, 2**62))


def packed() -> list[Talk]:
    body, media = streamed("anthropic")
    rows = [(ask("anthropic", coding=c), answer(body, media, chunks=30, coding=c)) for c in PACK if c]
    rows.append((ask("anthropic"), answer(PACK["gzip"](bytes(1 << 20)), media, headers=[("Content-Encoding", "gzip")])))
    return [Talk(*row) for row in rows]


def repacked(rng: random.Random, whole: Talk) -> Talk:
    """Damage inside of a packed body, and bodies packed several times over."""
    if rng.random() < 0.5:
        return bytewise(rng, whole)
    codings = rng.choices([c for c in PACK if c], k=rng.randint(1, 4))
    body = fixture("anthropic", "answer.sse") * rng.choice([1, 1, 200])
    for coding in codings:
        body = PACK[coding](body)
    named = [*codings, *rng.choices(["gzip", "x", "identity", ""], k=rng.randrange(3))]
    head = [("Content-Encoding", ", ".join(named))]
    return Talk(whole.sent, answer(damaged(rng, body), "text/event-stream", headers=head), rng.randrange(1, 2**62))


def rpc_rows() -> list[bytes]:
    return [
        row for name in ("initialize", "meta") for row in (FIXTURES / f"mcp/{name}.lines").read_bytes().splitlines()
    ]


def rpc(rng: random.Random, whole: Talk) -> Talk:
    """Messages of both generations mutated, in any order, alone and in batches."""
    sides = {b">": b"", b"<": b""}
    rows = rpc_rows()
    for row in rng.sample(rows, len(rows)):
        message = mutated(rng, json.loads(row[2:]))
        line = dumped([message] * rng.randint(0, 3) if rng.random() < 0.1 else message)
        sides[row[:1]] += (damaged(rng, line) if rng.random() < 0.1 else line) + b"\n"
    return Talk(sides[b">"], sides[b"<"], rng.randrange(1, 2**62), whole.kind)


def rpc_over_http(rng: random.Random, whole: Talk) -> Talk:
    """The same as bodies of requests and of event streams."""
    lines = rpc(rng, whole)
    sent = b"".join(request("/mcp", line, headers=[("Mcp-Session-Id", "s")]) for line in lines.sent.splitlines())
    events = b"".join(b"event: message\ndata: " + line + b"\n\n" for line in lines.received.splitlines())
    received = b"".join(answer(line) for line in lines.received.splitlines())
    received = rng.choice([received, answer(events, "text/event-stream", chunks=40)])
    return Talk(sent, received, lines.seed)


def over_http() -> list[Talk]:
    rows = list(rpc_rows())
    sent = b"".join(request("/mcp", r[2:]) for r in rows if r[:1] == b">")
    return [Talk(sent, b"".join(answer(r[2:]) for r in rows if r[:1] == b"<"))]


def babble(rng: random.Random, whole: Talk) -> Talk:
    """Words of all protocols in no order."""

    def side() -> bytes:
        return b"".join(
            rng.choice(WORDS) if rng.random() < 0.7 else rng.randbytes(rng.randrange(30)) for _ in range(200)
        )

    return Talk(side(), side(), rng.randrange(1, 2**62))


def heard(talk: Talk) -> None:
    """Reads a case in pieces; every record becomes events that can be sent, and nothing is held at the end."""
    rng, decoder = random.Random(talk.seed), Strict(LIMITS)
    decoder.open("c", whole=not talk.seed or rng.random() < 0.8, kind=talk.kind)
    teller = Teller(node="n", epoch="e", mark="t")
    left = {"sent": (0, talk.sent), "received": (0, talk.received)}
    while any(data for _, data in left.values()):
        way = rng.choice([w for w, (_, data) in left.items() if data])
        _tell(teller, _piece(rng, decoder, talk, way, left))
    _tell(teller, decoder.finish(2.0))
    assert decoder.held == 0


def _piece(rng: random.Random, decoder: Calls, talk: Talk, way: str, left: dict[str, tuple[int, bytes]]) -> list:
    at, data = left[way]
    size = rng.choice([1, 9, 60, 700, 5000, 1 << 20])
    luck = rng.random() if talk.seed else 0.5
    out = []
    if luck < 0.02:
        out += decoder.gap("c", way, at, min(size, len(data)), 1.0)
    elif luck > 0.04:
        out += decoder.data("c", way, at, data[:size], 1.0)
        if luck > 0.97:
            out += decoder.data("c", way, max(0, at - 5), data[:size], 1.0)
    if luck > 0.99:
        out += decoder.settle(rng.choice([1.0, 9.0]))
    left[way] = (at + min(size, len(data)), data[size:])
    return out


def _tell(teller: Teller, records: Iterable) -> None:
    for record in records:
        for event in teller.events(record, context=CONTEXT):
            assert codec.decode(codec.encode(event)) == event


def _row(name: str, whole: Callable[[], list[Talk]], harm: Callable = bytewise) -> Decoder:
    return Decoder(name, whole, heard, (), harm)


DECODERS = (
    _row("http1", lambda: of_streams(starting("h1-"))),
    _row("http2", lambda: of_streams(starting("h2-"))),
    _row("event-stream", lambda: of_streams(("h1-cr", "h1-crlf", "h1-ollama", "h1-bedrock"))),
    _row("compression", packed, repacked),
    *(_row(api, lambda api=api: of_streams([f"h1-{api}"]), partial(shaped, api)) for api in APIS),
    _row("mcp-pipe", lambda: of_streams(["stdio"], "stdio"), rpc),
    _row("mcp-http", over_http, rpc_over_http),
    _row("babble", lambda: [Talk(b"", b"")], babble),
)
