"""Decoders of what the kernel side writes: records of the rings, tables, and chunks of what agents say.

The kernel's own words are true, but half of each record is text and numbers that a workload chose.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from sensor.observe.applayer.decoder import Decoder as Calls
from sensor.observe.applayer.limits import Limits
from sensor.observe.observer import Observer
from sensor.observe.plaintext.streams import Streams
from sensor.observe.stdio.lane import LONGEST
from sensor.observe.told import Told
from sensor.probes import abi
from sensor.probes.kernel import RINGS
from sensor.probes.stdio import DATA, ENDED, LEFT_ALONE
from sensor.probes.tls import CLOSED
from tests.fuzz.damage import EDGES, damaged
from tests.fuzz.decoder import Decoder
from tests.observe import rings
from tests.observe.applayer.test_chunks import STREAMS
from tests.observe.plaintext.test_streams import chunk, end
from tests.observe.stdio.pipes import CLIENT, SERVER, TO_CLIENT, TO_SERVER, Pipes, lines
from wire import codec
from wire.records import Event

LIMITS = Limits(body=1 << 18, event=1 << 16, waiting=1 << 16, connection=1 << 20, total=4 << 20)
TEXTS = [line for generation in ("initialize", "meta") for line in lines(generation)]
JUNK = (
    b"\0" * 300,
    b"\xff\xfe\n" * 20,
    b"{" * 500,
    b"[" * 500 + b"\n",
    b"\n" * 100,
    b'{"jsonrpc":"2.0","id":{}}\n',
    b'"\n',
)
PATHS = (b"passwd\0etc\0", b"a" * 630 + b"\0", b"\x1b[31m\0..\0/\0", b"\xff\xfe\n\0", b"", b"model.gguf\0models\0")
ARGV = (b"curl\0-u\0a:b\0https://x:y@h\0", b"\xf0\x9f\0\x1b]0;x\x07\0", b"\0" * 512, b"a" * 512, b"--password=\0")


class Strict(Calls):
    """A decoder of conversations without its safety net, so that a fault is seen."""

    def _guarded(self, key, connection, act):
        return act(connection)


# rings and tables -------------------------------------------------------------------------------------------------------


def batches() -> list[dict[str, bytes]]:
    """Records that say something, so that rounds begin deep inside."""
    shell = rings.ran(10, 5, "bin", "sh", argv=np.void(ARGV[0].ljust(512, b"\0")), argv_bytes=len(ARGV[0]))
    opened = {"kind": abi.OPEN, "time": 20, "pid": 5, "image": 1, "a": 2, "path": rings.path("etc", "x")}
    answer = {"kind": abi.DNS, "time": 30, "pid": 5}
    facts = ({"kind": k, "time": 40, "pid": 5, "a": 3} for k in (abi.FORK, abi.FLOW, abi.EXIT))
    made = rings.batch(
        paths=rings.rows("paths", rings.SEAT, opened),
        execs=rings.rows("execs", shell),
        payloads=rings.rows("payloads", answer),
        facts=rings.rows("facts", *facts),
    )
    return [{name: getattr(made, name).tobytes() for name in RINGS}]


def scrambled(rng: random.Random, whole: dict[str, bytes]) -> dict[str, Any]:
    """Noise in rows of kinds and slots that exist, with texts of workloads in some; tables of noise."""
    case: dict[str, Any] = {"seed": rng.randrange(2**32)}
    for number, ring in enumerate(RINGS):
        made = rings.noise(ring, [case["seed"], number], rng.randint(0, 12))
        for row in made:
            _dress(rng, ring, row)
        case[ring] = made.tobytes()
    return case


def _dress(rng: random.Random, ring: str, row: np.void) -> None:
    """Puts in what a workload would: hostile names, argument lists, payloads, sizes at the edges."""
    if ring in ("paths", "execs") and rng.random() < 0.7:
        text = damaged(rng, rng.choice(PATHS)) if rng.random() < 0.5 else rng.choice(PATHS)
        row["path"]["text"] = np.void(text[:640].ljust(640, b"\0"))
        row["path"]["length"] = rng.choice([len(text), 640, 641, 0, 2**32 - 1])
    if ring == "execs" and rng.random() < 0.7:
        row["argv"] = np.void(damaged(rng, rng.choice(ARGV))[:512].ljust(512, b"\0"))
        row["argv_bytes"] = rng.choice([512, 100, 0, 2**32 - 1])
    if ring == "payloads":
        row["length"] = rng.choice([0, 40, 512, 2048, 2049, 2**32 - 1])
    row["time"] = rng.choice([*EDGES[:9], row["time"]])


def read_rings(case: dict[str, Any]) -> None:
    """Whatever the rings and tables hold: records that can be sent, with nothing unprintable in them."""
    observer, kernel = rings.observer(), rings.kernel()
    random = np.random.default_rng(case.get("seed", 0))
    if "seed" in case:
        for name in ("files", "flows", "slots"):
            table = getattr(kernel, name)
            table[:] = np.frombuffer(random.bytes(table.nbytes), table.dtype)
        for table in (kernel.files, kernel.flows):
            table["slot"], table["used"] = (
                random.integers(0, rings.SLOTS, rings.ROWS),
                random.integers(0, 2, rings.ROWS),
            )
            table["generation"] = random.integers(0, 2, rings.ROWS)
        kernel.slots["generation"] = random.integers(0, 2, rings.SLOTS)
    batch = rings.batch(**{name: np.frombuffer(case[name], dtype) for name, dtype in RINGS.items()})
    _check(observer, kernel, batch)


def _check(observer: Observer, kernel: Any, batch: Any) -> None:
    told = [
        *observer.take(batch),
        *observer.flows(batch.facts, kernel.flows),
        *observer.windows(kernel, Told(kernel), 10**9),
    ]
    for record in told:
        assert codec.decode(codec.encode(record)) == record
        if isinstance(record, Event):
            texts = (v for v in (record.behaviour or "", *record.data.values()) if isinstance(v, str))
            assert all(text.isprintable() for text in texts), record
    again = rings.observer()
    again.recall(observer.kept(), kernel)


# chunks of TLS and of pipes ---------------------------------------------------------------------------------------------


def seeds() -> list[int]:
    return [0]


def seeded(rng: random.Random, whole: int) -> int:
    return rng.randrange(1, 2**62)


def read_tls(seed: int) -> None:
    """Chunks of several connections, out of order, with strange offsets; all are given up at the end."""
    rng, decoder = random.Random(seed), Strict(LIMITS)
    streams = Streams(decoder, lambda ns: ns / 1e9)
    for _ in range(rng.randint(1, 8)):
        sent, received = STREAMS[rng.choice(sorted(STREAMS))]
        ids = {"ssl": rng.randrange(3), "born": rng.randrange(2), "pid": rng.choice([0, 40, 2**32 - 1])}
        for direction, data in ((0, damaged(rng, sent)), (1, damaged(rng, received))):
            _pour(rng, streams, ids, direction, data)
        if rng.random() < 0.3:
            streams.feed(end(rng.choice([0, 10, 2**63]), rng.choice([0, 10, 2**64 - 1]), **ids))
    streams.doubt(7, lambda pid, ssl, born: (rng.choice([0, 2**40]), 5))
    streams.resolve(10**9)
    for pid in (0, 40, 2**32 - 1):
        streams.ended(pid, 10**9)
    assert len(streams) == 0 and decoder.held == 0


def _pour(rng: random.Random, streams: Streams, ids: dict[str, int], direction: int, data: bytes) -> None:
    at = rng.choice([0, 0, 0, 5, 2**32, 2**63])
    while data:
        size = rng.choice([1, 60, 700, 1 << 16])
        kind = rng.choice([CLOSED, 9]) if rng.random() < 0.01 else 1
        streams.feed(chunk(data[:size], direction, at, kind=kind, flags=rng.randrange(2), **ids))
        at, data = at + size + (rng.random() < 0.03) * rng.choice([1, 5000]), data[size:]


def read_pipes(seed: int) -> None:
    """Lanes of any bytes between any processes: nothing is held for ever."""
    rng = random.Random(seed)
    pipes = Pipes(decoder=Strict(LIMITS))
    for _ in range(rng.randrange(1, 60)):
        _move(rng, pipes)
    held = sum(lane.waiting for lane in pipes.streams.undecided)
    assert held == pipes.streams._waiting <= 3 * LONGEST
    pipes.streams.forget(1, pipes.clock)
    assert len(pipes.streams) == 0 and pipes.streams._waiting == 0 and pipes.streams.links == []


def _move(rng: random.Random, pipes: Pipes) -> None:
    lane, text = _some(rng)
    strange: dict[str, int] = {}
    if rng.random() < 0.1:
        ids = [0, 1, CLIENT, SERVER, 2**32 - 1]
        strange = {"reader": rng.choice(ids), "writer": rng.choice(ids)}
        strange["mate"] = rng.choice([0, TO_CLIENT, TO_SERVER, lane])
    if rng.random() < 0.05:
        strange["born"] = rng.randrange(9)
    if rng.random() < 0.02:
        strange["offset"] = rng.choice([0, 2**63, 2**64 - 1])
    what = rng.random()
    if what < 0.9:
        pipes.read(lane, text, rng.choice([None, 1, 3, 50, 4096]), **strange)
    elif what < 0.94:
        pipes.lose(lane, rng.randrange(5000))
    elif what < 0.98:
        pipes.feed(pipes.chunk(lane, kind=rng.choice([ENDED, LEFT_ALONE, DATA, 9]), **strange))
    else:
        pipes.streams.doubt(1)
        pipes.streams.resolve(pipes.clock)
        pipes.streams.expire(pipes.clock, lambda pid: rng.random() < 0.8)


def _some(rng: random.Random) -> tuple[int, bytes]:
    """A lane's number and bytes of it."""
    lane, text = rng.choice(TEXTS)
    if rng.random() < 0.3:
        text = damaged(rng, text)
    return (lane, text) if rng.random() < 0.9 else (rng.choice([TO_SERVER, TO_CLIENT, 5]), rng.choice(JUNK))


DECODERS = (
    Decoder("rings", batches, read_rings, (), scrambled),
    Decoder("tls-chunks", seeds, read_tls, (), seeded),
    Decoder("pipe-chunks", seeds, read_pipes, (), seeded),
)
