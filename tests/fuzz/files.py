"""Decoders of files: traces, captures, what is imported, bundles of the audit trail, frames on disk and on the socket."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import random
import socket
from pathlib import Path

from classifier.envelope.state import StateError
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from classifier.store.packed import packed, unpacked
from guard.audit.bundle import bundle
from guard.audit.verify import verify
from sensor.importers import scap, scap_blocks, sequence, strace
from tests.factories import deploy, event, head, identity, use, window
from tests.fuzz.damage import STRANGE, damaged, resealed
from tests.fuzz.decoder import Decoder, by_path, folder, tempfolder, written
from tests.guard.audit import trail
from tests.importers import test_scap as captures
from tests.wire import test_columns as loads
from wire import codec, columns, frames, trace
from wire.receiver import Receiver
from wire.records import Gap, Pin, Tick, Triage
from wire.spool import Queued, Spool

MOST = 200_000  # records of one small case; an endless reader is a failure
GOLDEN = Path(__file__).parents[1] / "golden"
STREAM = [
    head(),
    identity(1),
    event(1, "exec", "exec:/bin/sh<init", pid=7),
    event(1, "llm", call="c", model="m"),
    window(1, use("open:data:/x", evidence=("n1/e1/1",)), syscalls={1: 2}, grams=(3,), loss={"facts": 1}),
    deploy(),
    Gap("n1", 1.0, 2.0, "why"),
    Tick("n1", 20.0, {"cpu": 0.1}),
    Triage(3.0, "f", "accept", "uid:0", "fine"),
    Pin(4.0, identity(1).workload, "class", "coding", "uid:0"),
]
LINES = rb"""12 1795236863.1 execve("/bin/sh", ["sh", "-c", "x"...], 0x7fff /* 3 vars */) = 0
[pid 13] 1795236863.2 openat(AT_FDCWD, "/etc/\164\"x", O_RDONLY|O_CLOEXEC) = 3
12 1795236863.3 clone3({flags=CLONE_VM|CLONE_THREAD}, 88 <unfinished ...>
13 1795236863.4 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}, 16) = -1 EINPROGRESS (x)
12 1795236863.5 <... clone3 resumed> => {parent_tid=[14]}, 88) = 14
13 1795236863.6 --- SIGCHLD {si_signo=SIGCHLD} ---
13 1795236864.7 +++ exited with 0 +++
"""


def drain(records) -> int:
    return sum(1 for _ in itertools.islice(records, MOST))


def traces() -> list[bytes]:
    def write(path):
        with trace.Writer(path, block_frames=2) as w:
            for record in STREAM * 2:
                w.add(record)

    return [written(write), (GOLDEN / "forged-event.trace").read_bytes()]


def read_trace(path: Path) -> None:
    trace.verify(path)
    drain(trace.read(path))


def sealed_or_not(rng: random.Random, whole: bytes) -> bytes:
    return resealed(rng, whole) if rng.random() < 0.5 else damaged(rng, whole)


def full_captures() -> list[bytes]:
    def write(path):
        with columns.Writer(path) as w:
            w.add(loads.load(400, run=20))
            w.flush()
            w.add(loads.load(300, run=1))
            w.name(1, "/x")

    return [written(write)]


def read_capture(path: Path) -> None:
    columns.counts(path, salvage=True)
    columns.grams(path, salvage=True)
    drain(columns.blocks(path))


def scaps() -> list[bytes]:
    def write(path):
        parts = [captures.exec_event(block_kind=k) + captures.connect_event(block_kind=k) for k in scap_blocks.EVENTS]
        captures.capture(path, *parts, captures.event(324, [b'{"container": {"id": "x"}}']))

    return [written(write)]


def packed_or_not(rng: random.Random, whole: bytes) -> bytes:
    data = damaged(rng, whole)
    if rng.random() < 0.2:
        data = damaged(rng, gzip.compress(data)) if rng.random() < 0.5 else gzip.compress(data)
    return data


def bundles() -> list[bytes]:
    with tempfolder() as path:
        ledger = trail.filled(path, 3)
        data = bundle(ledger, trail.PUBLIC, [1, 3], signer=trail.KEY)
        ledger.close()
    return [data]


def judged(rng: random.Random, whole: bytes) -> tuple[bytes, bytes]:
    return damaged(rng, whole), whole


def read_bundle(case: bytes | tuple[bytes, bytes]) -> None:
    """No damage is called good."""
    data, whole = case if isinstance(case, tuple) else (case, case)
    assert not verify(data, trail.PUBLIC).good or data == whole


def encoded() -> list[bytes]:
    return [codec.encode(record) for record in STREAM]


def sessions() -> list[bytes]:
    """What a sensor sends over one connection."""
    sent = [frames.pack(frames.FRAME, n, codec.encode(record)) for n, record in enumerate(STREAM, 1)]
    return [frames.hello("n1", "e1") + b"".join(sent), frames.hello("n1", "e1"), frames.pack(frames.ACK, 7)]


def read_bus(data: bytes) -> None:
    """A receiver turns a peer away or takes its frames; it goes on in either case."""
    path = folder() / "bus"
    path.unlink(missing_ok=True)
    receiver = Receiver(path)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(str(path))
            receiver.poll(1.0)
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            for _ in range(len(STREAM) + 100):
                for delivery in receiver.poll(0.0):
                    receiver.ack(delivery)
                if not receiver.peers:
                    break
            assert not receiver.peers, "a peer that has left is still held"
    finally:
        receiver.close()


def segments() -> list[bytes]:
    with tempfolder() as path:
        spool = Spool(path, 1 << 22, lambda frame, why: None)
        spool.append([Queued("e1", n, codec.encode(record)) for n, record in enumerate(STREAM, 1)])
        return [next(path.glob("*.frames")).read_bytes()]


def read_segment(data: bytes) -> None:
    with tempfolder() as path:
        (path / "001000000000.frames").write_bytes(data)
        spool = Spool(path, 1 << 22, lambda frame, why: None)
        while spool:
            spool.take()
            spool.release()


def streams() -> list[list[object]]:
    return [STREAM, list(itertools.islice(trace.read(GOLDEN / "forged-event.trace"), 300))]


def forged(rng: random.Random, records: list[object]) -> list[object]:
    """Records of the right types with values and an order that no sensor would send."""
    import msgspec

    out = []
    for record in rng.sample(records, rng.randint(1, min(60, len(records)))):
        values = msgspec.to_builtins(record)
        for at, value in enumerate(values):
            if rng.random() < 0.15:
                values[at] = bent(rng, value)
        with contextlib.suppress(msgspec.ValidationError, codec.FrameError, OverflowError, UnicodeEncodeError):
            made = msgspec.convert(values, type(record))
            out.append(codec.decode(codec.encode(made)))
    return out


def bent(rng: random.Random, value: object) -> object:
    """Another value of the same type, mostly."""
    if isinstance(value, bool) or value is None:
        return rng.choice(STRANGE)
    if isinstance(value, int | float):
        return type(value)(rng.choice([0, 1, -1, 5, 2**31, 2**62, -(2**62)]))
    if isinstance(value, str):
        return rng.choice(["", "x" * 5000, "a/b/c/d/e", "\x1b[31m\0\n", "*", value * 2, "unit:", "egress:tcp:x:1"])
    if isinstance(value, list):
        return [bent(rng, v) if rng.random() < 0.4 else v for v in value] * rng.randint(0, 2)
    return (
        {k: bent(rng, v) if rng.random() < 0.4 else v for k, v in value.items()} if isinstance(value, dict) else value
    )


def feed(records: list[object]) -> None:
    pipeline = Pipeline(Policy())
    for record in records:
        pipeline.feed(record)
    Pipeline.restore(pipeline.policy, pipeline.snapshot())


def snapshots() -> list[bytes]:
    pipeline = Pipeline(Policy())
    for record in STREAM:
        pipeline.feed(record)
    state = pipeline.snapshot()
    return [state, packed(state)]  # as it lies in a database, too


DECODERS = (
    Decoder("trace", traces, by_path(read_trace), (trace.TraceError,), sealed_or_not),
    Decoder("capture", full_captures, by_path(read_capture), (trace.TraceError,), sealed_or_not, memory=700 << 10),
    Decoder("scap", scaps, by_path(lambda p: drain(scap.records(p, salvage=True))), (trace.TraceError,), packed_or_not),
    Decoder("strace", lambda: [LINES], by_path(lambda p: drain(strace.records(p))), (trace.TraceError,)),
    Decoder("sequence", lambda: [b"1 2 3 4\n5 600 7\n" * 4], by_path(lambda p: drain(sequence.records(p))), (trace.TraceError,)),
    Decoder("bundle", bundles, read_bundle, (), judged),
    Decoder("frame", encoded, codec.decode, (codec.FrameError,)),
    Decoder("bus", sessions, read_bus),
    Decoder("spool", segments, read_segment),
    Decoder("pipeline", streams, feed, (), forged),
    Decoder("snapshot", snapshots, lambda data: Pipeline.restore(Policy(), unpacked(data)), (StateError,)),
)  # fmt: skip
