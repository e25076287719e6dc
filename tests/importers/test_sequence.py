"""Sequences of numbers: counts equal the sets' READMEs, windows equal a count by hand."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.importers import sequence
from wire import codec, grams
from wire.blocks import TraceError
from wire.records import Identity, Tick, Window

DATA = Path(__file__).parents[3] / "shared" / "data"


def imported(path, **options):
    found = sequence.records(path, **options)
    return list(found), found.summary


def shared(name):
    path = DATA / name / "traces.tsv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here; it lies beside the checkout")
    return path


def independent(path):
    """Traces, events and traces per split by the n column and by white space, without our reader."""
    with gzip.open(path, "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    assert all(int(r[5]) == len(r[6].split()) for r in rows)
    return len(rows), sum(int(r[5]) for r in rows), Counter(r[0] for r in rows)


@pytest.mark.parametrize(
    ("name", "readme", "part"),
    [
        pytest.param("adfa-ld", (5951, 2_747_550), (3453, 1_534_973), id="adfa-ld"),
        pytest.param("unm", (4395, 1_552_193), (1741, 813_665), id="unm"),
    ],
)
def test_public_sets_have_their_counts(name, readme, part):
    """The READMEs count the whole sets; a part of each is kept back for acceptance. The part at hand, by hand:
    ``zcat traces.tsv.gz | awk -F'\\t' 'NR>1 {t++; n+=$6; m+=split($7,a," ")} END {print t, n, m}'``."""
    path = shared(name)
    traces, events, by_split = independent(path)
    records, summary = imported(path)
    assert (traces, events) in (readme, part)
    assert (summary.by_kind["trace"], summary.events, summary.calls, summary.unparsed) == (traces, events, events, 0)
    assert sum(isinstance(r, Identity) for r in records) == traces
    for split, count in by_split.items():
        assert imported(path, split=split)[1].by_kind["trace"] == count


numbers = st.lists(st.lists(st.one_of(st.integers(0, 6), st.integers(500, 600)), min_size=1, max_size=60), max_size=6)


@given(numbers, st.sampled_from([0.001, 0.007, 10.0]))
@settings(max_examples=60, deadline=None)
def test_windows_equal_a_count_by_hand(tmp_path_factory, traces, interval):
    path = tmp_path_factory.mktemp("s") / "t.seq"
    path.write_text("".join(" ".join(map(str, t)) + "\n" for t in traces))
    records, summary = imported(path, interval=interval)
    windows = [r for r in records if isinstance(r, Window)]
    assert summary.events == sum(map(len, traces))
    calls, seen = Counter(), Counter()
    for w in windows:
        calls.update(w.syscalls)
        calls[512] += w.foreign
        seen.update((w.replica, g) for g in w.grams)
    assert +calls == Counter(min(n, 512) for t in traces for n in t)
    assert set(seen.values()) <= {1}
    assert sum(seen.values()) == sum(len(set(grams_of(t))) for t in traces)
    assert [codec.decode(codec.encode(r)) for r in records] == records
    ticks = [r.time for r in records if isinstance(r, Tick)]
    assert ticks == sorted(ticks)


def grams_of(trace):
    padded = [grams.NONE, grams.NONE, *trace]
    return [int(grams.pack(*padded[i : i + 3])) for i in range(len(trace))]


@pytest.mark.parametrize(
    ("text", "traces", "unparsed"),
    [
        pytest.param(b"", 0, 0, id="empty"),
        pytest.param(b"1 2 3\n\n4\n", 2, 0, id="blank-line"),
        pytest.param(b"1 2 x\n4 -5\n6\n", 1, 2, id="words"),
        pytest.param(b"99999999999999999999999999 1\n", 1, 0, id="huge-number"),
        pytest.param(b"split\tlabel\tfamily\tsession\tname\tn\tseq\na\tb\tc\td\te\t2\t1 2\na\tb\n", 1, 1, id="table"),
        pytest.param(b"split\tlabel\tfamily\tsession\tname\tn\tseq\na\tb\tc\td\te\t3\t1 2\n", 0, 1, id="wrong-count"),
        pytest.param(b"\xff\xfe\x00\n", 0, 1, id="binary"),
    ],
)
def test_odd_files(tmp_path, text, traces, unparsed):
    (tmp_path / "t").write_bytes(text)
    _, summary = imported(tmp_path / "t")
    assert (summary.by_kind["trace"], summary.unparsed) == (traces, unparsed)


def test_a_cut_file_gives_everything_before_the_cut(tmp_path):
    lines = "".join(f"{i} {i + 1} {i * 7 % 300}\n" for i in range(20_000)).encode()
    (tmp_path / "t.seq.gz").write_bytes(gzip.compress(lines)[:-2000])
    reader, count = sequence.records(tmp_path / "t.seq.gz"), 0
    with pytest.raises(TraceError, match="cannot be decompressed to its end"):
        for _ in reader:
            count += 1
    assert count > 1000


def test_the_head_says_that_times_are_made_up(tmp_path):
    (tmp_path / "t").write_text("1 2 3")
    head = imported(tmp_path / "t")[0][0]
    assert (head.source, "made up" in head.probes[0].misses[0]) == ("sequence", True)


def test_sniff():
    assert sequence.sniff(b"4 2 66\n", "x.int")
    assert sequence.sniff(b"split\tlabel\tfamily\tsession\tname\tn\tseq\n", "x")
    assert sequence.sniff(b"\x1f\x8b", "traces.tsv.gz")
    assert not sequence.sniff(b"12 1.5 getpid() = 1\n", "x")
    assert not sequence.sniff(b"", "x")
