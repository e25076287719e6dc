"""Trace files: what goes in comes out, and damage costs no more than it touched."""

from __future__ import annotations

import os
import resource
import signal
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import deploy, event, head, identity, use, window
from wire import blocks, trace
from wire.records import Gap, Tick, Triage

STREAM = [
    head(),
    identity(1),
    event(1, "exec", "exec:/bin/sh<init", pid=7),
    window(1, use("open:data:/x"), syscalls={0: 3}),
    deploy(),
    Gap("n1", 1.0, 2.0, "stopped"),
    Tick("n1", 10.0),
    Triage(11.0, "f1", "accept", "me"),
]


def written(path, records, **options):
    with trace.Writer(path, **options) as w:
        for r in records:
            w.add(r)
    return path


@pytest.fixture
def ten(tmp_path):
    """Ten blocks of one tick each."""
    return written(tmp_path / "t.trace", [Tick("n1", float(i)) for i in range(10)], block_frames=1)


def starts(path):
    """Where the blocks begin; the last is the end block."""
    data = path.read_bytes()
    found, at = [], data.find(blocks.BLOCK_MAGIC)
    while at >= 0:
        found.append(at)
        at = data.find(blocks.BLOCK_MAGIC, at + 1)
    return found


def drained(reader):
    """Records until the end or the error, and the error."""
    out = []
    try:
        for r in reader:
            out.append(r)
    except trace.TraceError as e:
        return out, str(e)
    return out, ""


def test_every_kind_of_record_comes_back(tmp_path):
    assert list(trace.read(written(tmp_path / "t", STREAM))) == STREAM


def test_an_empty_trace_is_whole(tmp_path):
    path = written(tmp_path / "t", [])
    assert list(trace.read(path)) == []
    assert trace.verify(path) == trace.Report(0, 0, 0, 0, 0, None, None, 1, True)


ticks = st.lists(st.builds(Tick, st.text(max_size=40), st.floats(allow_nan=False)), max_size=60)


@given(ticks, st.integers(1, 20), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_round_trip_whatever_the_size_of_blocks(tmp_path_factory, records, frames, size):
    path = tmp_path_factory.mktemp("t") / "x.trace"
    assert list(trace.read(written(path, records, block_frames=frames, block_bytes=size))) == records


def test_equal_records_give_equal_bytes(tmp_path):
    a, b = (written(tmp_path / n, STREAM).read_bytes() for n in "ab")
    assert a == b


def test_the_head_is_readable_without_the_stream(tmp_path):
    assert trace.head(written(tmp_path / "t", STREAM)) == head()
    assert trace.head(written(tmp_path / "u", STREAM[1:])) is None


def test_verify_tells_times_and_counts(ten):
    assert trace.verify(ten) == trace.Report(10, 10, 0, 0, 0, 0.0, 9.0, 1, True)


def test_flush_makes_records_readable_while_recording_goes_on(tmp_path):
    w = trace.Writer(tmp_path / "t")
    w.add(Tick("n1", 1.0))
    assert list(trace.read(tmp_path / "t")) == []
    w.flush()
    assert list(trace.read(tmp_path / "t")) == [Tick("n1", 1.0)]
    assert not trace.verify(tmp_path / "t").complete
    w.close()
    w.close()
    assert trace.verify(tmp_path / "t").complete


@pytest.mark.parametrize("cut", [1, 20, 43, 50])
def test_a_cut_file_gives_everything_before_the_cut(ten, cut, fault):
    third = starts(ten)[3]
    os.truncate(ten, third + cut)
    records, error = drained(trace.read(ten))
    assert [r.time for r in records] == [0.0, 1.0, 2.0]
    assert error == f"{ten}: block 3 is cut short; rerun with --salvage"
    assert [r.time for r in trace.read(ten, salvage=True)] == [0.0, 1.0, 2.0]
    fault(lost="7 of 10 records, those from the cut on", told='"block 3 is cut short", exit code 1')


def test_salvage_passes_over_damage_and_counts_it(ten, fault):
    at = starts(ten)
    data = bytearray(ten.read_bytes())
    data[at[2] + 45] ^= 1  # payload
    data[at[5] + 2] ^= 1  # magic
    ten.write_bytes(data)
    assert len(drained(trace.read(ten))[0]) == 2
    reader = trace.read(ten, salvage=True)
    assert [r.time for r in reader] == [0.0, 1.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0]
    assert (reader.damage.blocks, reader.damage.regions, reader.damage.skipped > 0) == (2, 4, True)
    assert not trace.verify(ten).complete
    fault(lost="2 of 10, one a damaged block", told='"damaged" with its count; salvage is asked for')


def test_a_block_taken_out_is_noticed(ten, fault):
    at, data = starts(ten), ten.read_bytes()
    ten.write_bytes(data[: at[4]] + data[at[5] :])
    records, error = drained(trace.read(ten))
    assert (len(records), "block 4 is missing" in error) == (4, True)
    report = trace.verify(ten)
    assert (report.frames, report.lost, report.complete) == (9, 1, False)
    fault(lost="1 of 10", told="`trace verify`: lost 1, not complete")


def test_every_flipped_bit_is_found_or_harmless(ten):
    data = ten.read_bytes()
    whole = [Tick("n1", float(i)) for i in range(10)]
    for at in range(0, len(data), 3):
        ten.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        try:
            records, error = drained(trace.read(ten))
        except trace.TraceError:
            continue
        assert records == whole[: len(records)]
        assert error or len(records) == 10 or not trace.verify(ten).complete


def test_a_newer_format_is_answered_with_a_remedy(ten, fault):
    data = bytearray(ten.read_bytes())
    data[8:10] = struct.pack("<H", 7)
    ten.write_bytes(data)
    with pytest.raises(trace.TraceError, match=r"t\.trace: format 7, this driftline reads up to 1; please update"):
        trace.read(ten)
    fault(lost="0: nothing is read", told='"format 7, this driftline reads up to 1; please update"')


def test_an_older_format_goes_through_its_steps(ten, monkeypatch):
    steps = {1: lambda h: h | {"a": 1}, 2: lambda h: h | {"b": h["a"] + 1}}
    monkeypatch.setattr(trace, "KIND", replace(trace.KIND, format=3, upgrades=steps))
    reader = trace.read(ten)
    assert (reader.head["b"], len(list(reader))) == (2, 10)


@pytest.mark.parametrize(
    "content", [b"", b"DRIFTTR\n", b"not a trace at all", b"\0" * 100], ids=["empty", "short", "text", "zero"]
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(trace.TraceError, match="x: "):
        trace.read(tmp_path / "x")
    with pytest.raises(trace.TraceError, match="cannot be opened"):
        trace.read(tmp_path / "absent")


def test_salvage_of_a_file_full_of_false_blocks_ends(tmp_path):
    path = written(tmp_path / "t", [])
    false = blocks.BLOCK.pack(blocks.BLOCK_MAGIC, 1, 1, blocks.STORED_LIMIT, 1, 1)
    path.write_bytes(path.read_bytes()[: starts(path)[0]] + false * 20_000)
    assert "too many false blocks" in drained(trace.read(path, salvage=True))[1]


def forged(path, content, **sizes):
    """A trace whose only block has a good checksum and a bad inside."""
    stored = trace.zstandard.ZstdCompressor().compress(content)
    w = blocks.BlockWriter(path, trace.KIND, {})
    w.add(stored, **({"raw": len(content), "count": 1} | sizes))
    w.close()
    return path


@pytest.mark.parametrize(
    ("content", "sizes"),
    [
        pytest.param(b"\0" * (31 << 20), {"raw": 100}, id="bomb"),
        pytest.param(b"\xff\xff\xff\xffab", {}, id="endless-frame"),
        pytest.param(b"\1\0\0\0\xc1", {}, id="no-msgpack"),
        pytest.param(b"\0\0\0\0", {"count": 4_000_000_000}, id="too-many"),
        pytest.param(struct.pack("<I", 4) + b"\x93\0\xa1x", {}, id="cut-msgpack"),
        pytest.param(struct.pack("<I", 8) + b"\x93\0\xa4tick\x90", {}, id="version-0"),
    ],
)
def test_a_forged_block_is_damage_and_nothing_worse(tmp_path, content, sizes):
    path = forged(tmp_path / "t", content, **sizes)
    _, error = drained(trace.read(path))
    assert "damaged inside its checksum" in error
    assert trace.verify(path).damaged == 1


def test_a_full_disk_is_told_with_a_remedy(tmp_path):
    """A limit on the file's size stands in for the disk; /dev/full shows the real errno."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            written(tmp_path / "t", [Tick("n1", float(i)) for i in range(100)], block_frames=1)
        except trace.TraceError as e:
            os._exit(0 if "choose another place" in str(e) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    report = trace.verify(tmp_path / "t")
    assert (report.damaged, report.complete, report.frames > 5) == (0, False, True)


def test_the_message_for_a_full_disk(tmp_path):
    w = trace.Writer(tmp_path / "t")
    w.add(Tick("n1", 1.0))
    with open("/dev/full", "wb", buffering=0) as full:
        w._file._file = full
        w._file._good = 0
        with pytest.raises(trace.TraceError, match="the disk is full; 0 records in 0 blocks are safe; free space"):
            w.close()


def test_a_writer_that_failed_leaves_no_claim_of_completeness(tmp_path):
    with pytest.raises(RuntimeError), trace.Writer(tmp_path / "t") as w:
        w.add(Tick("n1", 1.0))
        w.flush()
        raise RuntimeError
    assert (trace.verify(tmp_path / "t").complete, trace.verify(tmp_path / "t").frames) == (False, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


@pytest.mark.parametrize("kind", ["fifo", "folder", "link-to-fifo", "dangling-link"])
def test_the_writer_replaces_only_regular_files(tmp_path, kind):
    place, other = tmp_path / "x.trace", tmp_path / "other"
    if kind in ("fifo", "link-to-fifo"):
        os.mkfifo(other)
    if kind == "folder":
        place.mkdir()
    elif kind == "fifo":
        other.rename(place)
    else:
        place.symlink_to(other)
    with pytest.raises(trace.TraceError, match="not replaced"):
        written(place, STREAM)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({"x.trace"} | ({"other"} if other.exists() else set()))
