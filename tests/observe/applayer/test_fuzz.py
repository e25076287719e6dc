"""Damaged and made-up conversations: the decoder survives, fails at nothing of its own, and takes no more time than it may.

``DRIFTLINE_FUZZ_SECONDS`` (20) is shared with the readers of tests/fuzz: a sixth of it is spent here on each kind.
The random numbers are seeded by ``DRIFTLINE_FUZZ_SEED`` (1); a failure names the round.
"""

import json
import os
import pickle
import random
import time

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.limits import Limits
from tests.fuzz.test_readers import damaged
from tests.observe.applayer.test_chunks import STREAMS
from tests.observe.applayer.test_http2 import H2
from tests.observe.applayer.wires import APIS, FIXTURES, PATHS, answer, fixture, request, streamed

SECONDS = float(os.environ.get("DRIFTLINE_FUZZ_SECONDS", "20")) / 6
SEED = int(os.environ.get("DRIFTLINE_FUZZ_SEED", "1"))
ROUND = 3.0  # seconds that no input of this size may take
LIMITS = Limits(body=1 << 18, event=1 << 16, waiting=1 << 16, connection=1 << 20, total=4 << 20)
STRANGE = [
    None,
    True,
    -1,
    0,
    1.5,
    2**70,
    "",
    "x",
    "\ud83d",
    "data:",
    [],
    {},
    [[]],
    [None],
    {"": None},
    [{"role": 1}],
    "a" * 3000,
]


class Strict(Decoder):
    """A decoder without its safety net, so that a fault is seen."""

    def _guarded(self, key, connection, act):
        return act(connection)


def fed(rng, sent, received):
    """Both directions in random pieces, with losses and repetitions; the records."""
    d = Strict(LIMITS)
    d.open("c", whole=rng.random() < 0.8, kind="stdio" if rng.random() < 0.1 else "")
    out, left = [], {"sent": (0, sent), "received": (0, received)}
    while any(data for _, data in left.values()):
        direction = rng.choice([w for w, (_, data) in left.items() if data])
        at, data = left[direction]
        size = rng.choice([1, 9, 60, 700, 5000, 1 << 20])
        luck = rng.random()
        if luck < 0.02:
            out += d.gap("c", direction, at, min(size, len(data)), 1.0)
        elif luck > 0.02 + 0.02:
            out += d.data("c", direction, at, data[:size], 1.0)
            if luck > 0.97:
                out += d.data("c", direction, max(0, at - 5), data[:size], 1.0)
        left[direction] = (at + min(size, len(data)), data[size:])
        if rng.random() < 0.01:
            out += d.settle(rng.choice([1.0, 9.0]))
    out += d.finish(2.0)
    assert d.held == 0
    return out


def rounds(name):
    """Numbers and their random source, for as long as it may take."""
    end, n = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or n < 20:
        yield n, random.Random(f"{SEED}-{name}-{n}")
        n += 1


def check(n, rng, sent, received):
    """Runs one round."""
    start = time.process_time()
    try:
        for record in fed(rng, sent, received):
            pickle.dumps(record)
            json.dumps(repr(record)).encode()
    except Exception as e:
        raise AssertionError(f"round {n}, seed {SEED}: {e!r}") from e
    assert time.process_time() - start < ROUND, f"round {n}, seed {SEED}"


@pytest.mark.timeout(0)
def test_damaged_conversations():
    names = sorted(STREAMS)
    for n, rng in rounds("damaged"):
        sent, received = STREAMS[rng.choice(names)]
        check(n, rng, damaged(rng, sent), damaged(rng, received))


def mutated(rng, value, depth=0):
    """JSON with some parts replaced, dropped or made strange."""
    if rng.random() < 0.04:
        return rng.choice(STRANGE)
    if isinstance(value, dict):
        kept = {k: mutated(rng, v, depth + 1) for k, v in value.items() if rng.random() > 0.03}
        return kept | ({rng.choice(list(value) or ["x"]): rng.choice(STRANGE)} if rng.random() < 0.05 else {})
    if isinstance(value, list):
        grown = [mutated(rng, v, depth + 1) for v in value for _ in range(1 + (rng.random() < 0.05))]
        return grown + ([rng.choice(STRANGE)] if rng.random() < 0.05 else [])
    return value


def dumped(value):
    return json.dumps(value).encode()


def strange_stream(rng, api):
    """A streamed answer whose events are mutated, repeated and out of order."""
    body, media = streamed(api)
    if media == "application/vnd.amazon.eventstream":
        from tests.observe.applayer.wires import aws_frame

        rows = [line.split(b" ", 1) for line in fixture(api, "answer.events").splitlines()]
        rng.shuffle(rows) if rng.random() < 0.3 else None
        return b"".join(aws_frame(k.decode(), dumped(mutated(rng, json.loads(p)))) for k, p in rows), media
    lines = body.split(b"\n")
    for at, line in enumerate(lines):
        head, brace, rest = line.partition(b"{")
        if brace and rng.random() < 0.6:
            lines[at] = head + dumped(mutated(rng, json.loads(brace + rest)))
    if rng.random() < 0.3:
        rng.shuffle(lines)
    return b"\n".join(lines), media


@pytest.mark.timeout(0)
def test_bodies_of_the_right_frame_and_the_wrong_shape():
    for n, rng in rounds("shapes"):
        api, other = rng.choice(APIS), rng.choice(APIS)
        sent = b"".join(
            request(PATHS[api][1], dumped(mutated(rng, json.loads(fixture(api, name)))))
            for name in ("ask.json", "again.json")
        )
        body, media = strange_stream(rng, other if rng.random() < 0.2 else api)
        received = answer(body, media, chunks=rng.choice([0, 50]))
        received += answer(dumped(mutated(rng, json.loads(fixture(api, "answer.json")))))
        check(n, rng, sent, received)


@pytest.mark.timeout(0)
def test_strange_json_rpc():
    rows = [r for name in ("initialize", "meta") for r in (FIXTURES / f"mcp/{name}.lines").read_bytes().splitlines()]
    for n, rng in rounds("rpc"):
        sides = {b">": b"", b"<": b""}
        for row in rng.sample(rows, len(rows)):
            message = mutated(rng, json.loads(row[2:]))
            sides[row[:1]] += dumped([message] * rng.randint(0, 3) if rng.random() < 0.1 else message) + b"\n"
        if rng.random() < 0.5:
            sent = b"".join(request("/mcp", line) for line in sides[b">"].splitlines())
            received = b"".join(
                answer(b"data: " + line + b"\n\n", "text/event-stream") for line in sides[b"<"].splitlines()
            )
        else:
            sent, received = sides[b">"], sides[b"<"]
        check(n, rng, sent, received)


@pytest.mark.timeout(0)
def test_damaged_frames_of_http2():
    h2 = H2()
    for number, api in enumerate(APIS):
        h2.ask(2 * number + 1, PATHS[api][1], fixture(api, "ask.json"))
        h2.answer(2 * number + 1, *streamed(api))
    for n, rng in rounds("http2"):
        at = rng.randrange(len(h2.sent)) if rng.random() < 0.3 else 0
        sent, received = h2.sent[at:], h2.received[at:]
        check(n, rng, damaged(rng, sent), damaged(rng, received))


WORDS = [
    b"POST / HTTP/1.1\r\nHost: x\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"data: ",
    b"{",
]
WORDS += [
    b"}",
    b"[",
    b'"jsonrpc":"2.0"',
    b"\0\0\x04\x08",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"5\r\n",
    b"Content-Length: 9\r\n",
]


def noise(rng):
    """Words of all protocols in no order."""
    return b"".join(rng.choice(WORDS) if rng.random() < 0.7 else rng.randbytes(rng.randrange(30)) for _ in range(200))


@pytest.mark.timeout(0)
def test_noise():
    for n, rng in rounds("noise"):
        check(n, rng, noise(rng), noise(rng))
