"""Every reader against damaged and made-up input: records or TraceError, nothing else, in bounded time and memory.

``DRIFTLINE_FUZZ_SECONDS`` (20) is shared among the readers. The random numbers are seeded by ``DRIFTLINE_FUZZ_SEED`` (1);
a failure names the round, and its input is kept under the test's temporary directory.
"""

from __future__ import annotations

import gzip
import itertools
import os
import random
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from guard.audit.bundle import bundle
from guard.audit.verify import verify
from sensor.importers import scap, scap_blocks, sequence, strace, strace_lines
from tests.factories import deploy, event, head, identity, use, window
from tests.guard.audit import trail
from tests.importers import test_scap as captures
from tests.wire import test_columns as loads
from wire import blocks, codec, columns, trace
from wire.records import Tick

SECONDS = float(os.environ.get("DRIFTLINE_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("DRIFTLINE_FUZZ_SEED", "1"))
ROUND = 60.0  # seconds of the CPU that no input of this size may take; it takes some ten milliseconds
MEMORY = 700 << 10  # KiB of growth that no run may need
STREAM = [head(), identity(1), event(1, "exec", "exec:/bin/sh<init", pid=7), window(1, use("open:data:/x")), deploy()]
LINES = rb"""12 1795236863.1 execve("/bin/sh", ["sh", "-c", "x"...], 0x7fff /* 3 vars */) = 0
[pid 13] 1795236863.2 openat(AT_FDCWD, "/etc/\164\"x", O_RDONLY|O_CLOEXEC) = 3
12 1795236863.3 clone3({flags=CLONE_VM|CLONE_THREAD}, 88 <unfinished ...>
13 1795236863.4 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}, 16) = -1 EINPROGRESS (x)
12 1795236863.5 <... clone3 resumed> => {parent_tid=[14]}, 88) = 14
13 1795236863.6 --- SIGCHLD {si_signo=SIGCHLD} ---
13 1795236864.7 +++ exited with 0 +++
"""


def fixed(path: Path, make) -> bytes:
    """What `make` writes to a path, as bytes."""
    make(path)
    return path.read_bytes()


def write_trace(path):
    with trace.Writer(path, block_frames=2) as w:
        for record in STREAM * 3:
            w.add(record)


def write_capture(path):
    with columns.Writer(path) as w:
        w.add(loads.load(400, run=20))
        w.flush()
        w.add(loads.load(300, run=1))
        w.name(1, "/x")


def write_scap(path):
    parts = [captures.exec_event(block_kind=k) + captures.connect_event(block_kind=k) for k in scap_blocks.EVENTS]
    captures.capture(path, *parts, captures.event(324, [b'{"container": {"id": "x"}}']))


def drain(records) -> int:
    """How many there are; bounded, for an endless reader is a failure."""
    return sum(1 for _ in itertools.islice(records, 200_000))


def read_trace(path):
    trace.verify(path)
    drain(trace.read(path))


def read_capture(path):
    columns.counts(path, salvage=True)
    columns.grams(path, salvage=True)
    drain(columns.blocks(path))


def read_scap(path):
    drain(scap.records(path, salvage=True))


def read_frame(path):
    codec.decode(path.read_bytes())


def write_bundle(path):
    with tempfile.TemporaryDirectory() as folder:
        ledger = trail.filled(Path(folder), 3)
        path.write_bytes(bundle(ledger, trail.PUBLIC, [1, 3], signer=trail.KEY))
        ledger.close()


def read_bundle(path):
    """No damage is called good."""
    data = path.read_bytes()
    report = verify(data, trail.PUBLIC)
    assert not report.good or data == (path.parent / "whole").read_bytes()


READERS = {
    "trace": (write_trace, read_trace, (trace.TraceError,)),
    "columns": (write_capture, read_capture, (trace.TraceError,)),
    "scap": (write_scap, read_scap, (trace.TraceError,)),
    "strace": (lambda p: p.write_bytes(LINES), lambda p: drain(strace.records(p)), (trace.TraceError,)),
    "sequence": (
        lambda p: p.write_bytes(b"1 2 3 4\n5 600 7\n" * 4),
        lambda p: drain(sequence.records(p)),
        (trace.TraceError,),
    ),
    "bundle": (write_bundle, read_bundle, ()),
    "codec": (lambda p: p.write_bytes(codec.encode(STREAM[3])), read_frame, codec.FrameError),
}


def damaged(rng: random.Random, whole: bytes) -> bytes:
    """A copy with one to eight kinds of damage; at times only noise."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 8)):
        HARMS[rng.randrange(len(HARMS))](rng, data)
    return bytes(data)


def flip(rng, data):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def extreme(rng, data):
    """Numbers at the edges of their kinds, where lengths and counts are likely to be."""
    at = rng.randrange(len(data) + 1)
    word = rng.choice([0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1])
    size = rng.choice([1, 2, 4, 8])
    data[at : at + size] = (word & (1 << 8 * size) - 1).to_bytes(size, "little")


def cut(rng, data):
    del data[rng.randrange(len(data) + 1) :]


def drop(rng, data):
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(64)]


def repeat(rng, data):
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(400)] * rng.randrange(1, 4)


def noise(rng, data):
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(64))


HARMS = (flip, flip, extreme, extreme, cut, drop, repeat, noise)


def resealed(rng: random.Random, whole: bytes) -> bytes:
    """A file whose blocks were damaged and then given good checksums, as a forger would."""
    at = whole.find(blocks.BLOCK_MAGIC)
    out = bytearray(whole[:at])
    while 0 <= at < len(whole):
        magic, kind, sequence, length, raw, count = blocks.BLOCK.unpack_from(whole, at)
        start = at + blocks.BLOCK.size + blocks.SUM.size
        stored = whole[start : start + length]
        if rng.random() < 0.4:
            stored = damaged(rng, stored)
        if rng.random() < 0.2:
            raw, count = (rng.choice([0, 1, raw, count, 65_536, 2**31, 2**32 - 1]) for _ in range(2))
        header = blocks.BLOCK.pack(magic, kind, sequence, len(stored), raw, count)
        out += header + blocks.SUM.pack(blocks.xxhash.xxh3_64_intdigest(header + stored)) + stored
        at = start + length
    return bytes(out)


@pytest.mark.parametrize("name", READERS)
def test_damage_raises_trace_error_or_nothing(tmp_path, name):
    make, read, allowed = READERS[name]
    whole, path = fixed(tmp_path / "whole", make), tmp_path / "input"
    rng = random.Random(f"{SEED} {name}")
    before, end, rounds = peak(), time.monotonic() + SECONDS / len(READERS), 0
    while time.monotonic() < end or not rounds:
        forge = name in ("trace", "columns") and rng.random() < 0.5
        data = resealed(rng, whole) if forge else damaged(rng, whole)
        if name == "scap" and rng.random() < 0.2:
            data = damaged(rng, gzip.compress(data)) if rng.random() < 0.5 else gzip.compress(data)
        path.write_bytes(data)
        began = time.process_time()
        try:
            read(path)
        except allowed:
            pass
        except BaseException as e:
            path.rename(tmp_path / f"failed-{rounds}")
            raise AssertionError(f"round {rounds}: {e!r}; input is {tmp_path}/failed-{rounds}") from e
        assert time.process_time() - began < ROUND, f"round {rounds} took too long"
        rounds += 1
    assert peak() - before < MEMORY


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", READERS)
def test_the_whole_input_is_read_without_an_error(tmp_path, name):
    """So that the fuzz above starts from something the reader goes deep into."""
    make, read, _ = READERS[name]
    make(tmp_path / "whole")
    read(tmp_path / "whole")


def test_a_long_line_of_every_bad_shape_is_read():
    """Patterns must not go back and forth: with a megabyte of what nearly fits this test would never end."""
    shapes = (
        b") ",
        b"(",
        b'"',
        b'\\"',
        b"= ",
        b") = ",
        b" <unfinished ...>",
        b"    ",
        b"1",
        b"sin_port=htons(1), ",
        b"\\7",
    )
    for shape in shapes:
        text = "12 1.5 read(" + (shape * (1_000_000 // len(shape))).decode()
        strace_lines.parse(text)
        strace_lines.strings(text)
        strace_lines.address(text)


def test_noise_alone_is_refused_by_every_reader(tmp_path):
    rng = np.random.default_rng(SEED)
    for size in (0, 1, 7, 100, 5000):
        (tmp_path / "x").write_bytes(rng.bytes(size))
        for _, read, allowed in READERS.values():
            try:
                read(tmp_path / "x")
            except allowed:
                continue


def test_time_that_jumps_about_gives_windows_in_order(tmp_path):
    rng = random.Random(SEED)
    lines = "".join(f"{rng.randrange(5)} {rng.choice([1, 50, 10**10])}.5 getpid() = 1\n" for _ in range(500))
    (tmp_path / "x").write_text(lines)
    ticks = [r.time for r in strace.records(tmp_path / "x") if isinstance(r, Tick)]
    assert ticks == sorted(ticks)
