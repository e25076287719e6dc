"""Full captures: rows come back, sums equal a count by hand, damage costs no more than it touched."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import head
from wire import blocks, columns
from wire import grams as packing
from wire.trace import TraceError

SMALL = 500


def rows(times, tids, numbers, slots):
    out = np.empty(len(times), columns.ROW)
    out["time"], out["tid"], out["nr"], out["slot"] = times, tids, numbers, slots
    return out


def load(size, seed=1, threads=40, run=100):
    """What a busy machine gives: runs of a thread, times that climb, now and then a step back between processors."""
    rng = np.random.default_rng(seed)
    tids = 1000 + 7 * np.repeat(rng.integers(0, threads, size // run + 1), run)[:size]
    numbers = rng.choice([0, 1, 3, 9, 202, 257, 435, 600], size)
    return rows(10**18 + np.cumsum(rng.integers(100, 400, size)), tids, numbers, tids % 20)


def written(path, data, batch=5000, **options):
    with columns.Writer(path, **options) as w:
        for at in range(0, len(data), batch):
            w.add(data[at : at + batch])
    return path


def by_hand(data):
    """Counts and grams with a dictionary for each thread."""
    counts, grams, last = Counter(), Counter(), {}
    for r in data.tolist():
        _, tid, nr, slot = r
        symbol = min(nr, 512)
        counts[slot, symbol] += 1
        before = last.get(tid, (-1, -1))
        grams[slot, int(packing.pack(*before, symbol))] += 1
        last[tid] = before[1], symbol
    return counts, grams


def as_counters(path, **options):
    table = columns.counts(path, **options)
    counts = Counter({(int(s), int(n)): int(table[s, n]) for s, n in zip(*np.nonzero(table), strict=True)})
    return counts, Counter({(int(s), int(g)): int(c) for s, g, c in columns.grams(path, **options)})


@pytest.mark.parametrize("size", [0, 1, 2, 65_535, 65_536, 65_537, 200_000])
def test_rows_come_back(tmp_path, size):
    data = load(size)
    path = written(tmp_path / "c", data)
    back = [*columns.blocks(path), np.empty(0, columns.ROW)]
    assert np.array_equal(np.concatenate(back), data)
    assert (columns.counts(path).sum(), columns.grams(path)["count"].sum()) == (size, size)


word = st.tuples(
    st.integers(0, 2**64 - 1) | st.integers(10**18, 10**18 + 10**6),
    st.integers(0, 5) | st.integers(0, columns.TIDS - 1),
    st.integers(0, 4) | st.integers(0, 2**16 - 1),
    st.integers(0, 3) | st.integers(0, 2**16 - 1),
)


@given(st.lists(word, max_size=80), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_any_rows_come_back(tmp_path_factory, data, batch):
    data = np.array(data, columns.ROW)
    path = written(tmp_path_factory.mktemp("c") / "x", data, batch)
    assert np.array_equal(np.concatenate([*columns.blocks(path), np.empty(0, columns.ROW)]), data)


few = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 5, 300, 511, 512, 60000])), max_size=150)


@given(few, st.integers(1, 40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_sums_equal_a_count_by_hand(tmp_path_factory, data, flush, far):
    """Over any borders of blocks, for slots close together and far apart."""
    scale = 16_000 if far else 1
    made = rows(range(len(data)), [t for t, _ in data], [n for _, n in data], [t * scale for t, _ in data])
    path = tmp_path_factory.mktemp("c") / "x"
    with columns.Writer(path) as w:
        for at in range(0, len(made), flush):
            w.add(made[at : at + flush])
            w.flush()
    assert as_counters(path) == by_hand(made)


def test_sums_over_whole_blocks_equal_a_count_by_hand(tmp_path):
    data = load(150_000, run=7, threads=900)
    assert as_counters(written(tmp_path / "c", data)) == by_hand(data)


def test_a_thread_that_changed_its_processor_is_put_in_the_order_of_its_times(tmp_path):
    data = load(1000, threads=3, run=50)
    shuffled = np.concatenate([data[500:], data[:500]])
    assert as_counters(written(tmp_path / "c", shuffled))[1] == by_hand(data)[1]


def test_more_cells_than_a_table_holds(tmp_path):
    data = rows(range(5000), range(5000), [1, 2] * 2500, range(0, 65_000, 13))
    assert as_counters(written(tmp_path / "c", data)) == by_hand(data)


def test_a_row_takes_less_than_six_bytes_and_equal_rows_give_equal_bytes(tmp_path):
    data = load(300_000)
    a, b = written(tmp_path / "a", data, 128), written(tmp_path / "b", data, 77_777)
    assert a.stat().st_size < 6 * len(data)
    assert a.read_bytes() == b.read_bytes()


def test_names_of_slots_and_the_head_come_back(tmp_path):
    with columns.Writer(tmp_path / "c", head=head()) as w:
        w.add(load(10))
        w.name(3, "/lab/cart")
    reader = columns.Reader(tmp_path / "c")
    list(reader)
    assert (reader.names, reader.damage.complete) == ({3: "/lab/cart"}, True)


@pytest.fixture
def four(tmp_path):
    data = load(4 * columns.ROWS)
    return written(tmp_path / "c", data), data


def starts(path):
    data, found = path.read_bytes(), []
    at = data.find(blocks.BLOCK_MAGIC)
    while at >= 0:
        found.append(at)
        at = data.find(blocks.BLOCK_MAGIC, at + 1)
    return found


@pytest.mark.parametrize("read", [columns.blocks, columns.counts, columns.grams], ids=lambda f: f.__name__)
def test_damage_is_told_and_salvage_passes_over_it(four, read):
    path, data = four
    content = bytearray(path.read_bytes())
    content[starts(path)[1] + 99] ^= 4
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"block 1 is damaged; rerun with --salvage"):
        list(read(path))
    whole = np.concatenate([data[: columns.ROWS], data[2 * columns.ROWS :]])
    if read is columns.blocks:
        assert np.array_equal(np.concatenate(list(read(path, salvage=True))), whole)
    else:
        assert as_counters(path, salvage=True)[0] == by_hand(whole)[0]


def test_a_cut_capture_is_readable_to_the_cut(four):
    path, _ = four
    path.write_bytes(path.read_bytes()[: starts(path)[3] - 10])
    assert columns.counts(path, salvage=True).sum() == 2 * columns.ROWS
    with pytest.raises(TraceError, match="block 2 is cut short"):
        columns.counts(path)


def packed(*places, count=1, start=b"\1" + bytes(8)):
    table = b"".join(columns.COLUMN.pack(n, w, r, len(s)) for n, w, r, s in places)
    return start + bytes([len(places)]) + table + b"".join(s for *_, s in places), count


def squeezed(values):
    return columns.zstandard.ZstdCompressor().compress(values)


ONE, FOUR = squeezed(b"\1"), squeezed(b"\1\0\0\0")
GOOD = [
    (columns.TIME, 1, 1, ONE),
    (columns.TID, 4, 4, FOUR),
    (columns.SLOT, 2, 2, squeezed(b"\1\0")),
    (columns.NR, 1, 1, ONE),
]


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        pytest.param(b"", 1, id="nothing"),
        pytest.param(b"\0" * 9 + b"\xff", 1, id="table-cut"),
        pytest.param(*packed(*GOOD[:3]), id="column-missing"),
        pytest.param(*packed(*GOOD, count=2), id="too-few-values"),
        pytest.param(*packed(*GOOD, count=70_000), id="too-many-rows"),
        pytest.param(*packed(*GOOD, count=0), id="no-rows"),
        pytest.param(*packed(*GOOD[:3], (columns.NR, 1, 1, squeezed(bytes(30 << 20)))), id="bomb"),
        pytest.param(*packed(*GOOD[:3], (columns.NR, 1, 1 << 31, ONE)), id="huge-column"),
        pytest.param(*packed(*GOOD[:3], (columns.NR, 3, 3, ONE)), id="odd-width"),
        pytest.param(*packed(*GOOD, (columns.TABLE, 2, 2, squeezed(b"\1\0"))), id="code-beyond-table"),
        pytest.param(*packed(*GOOD, (columns.RUNS, 2, 2, squeezed(b"\xff\xff"))), id="runs-too-long"),
        pytest.param(
            *packed(*GOOD[:1], (columns.TID, 4, 4, squeezed(b"\xff" * 4)), *GOOD[2:]), id="thread-beyond-limit"
        ),
    ],
)
def test_a_forged_block_is_damage_and_nothing_worse(tmp_path, payload, count):
    w = blocks.BlockWriter(tmp_path / "c", columns.KIND, {})
    w.add(payload, raw=1, count=count)
    w.close()
    with pytest.raises(TraceError, match="damaged inside its checksum"):
        list(columns.blocks(tmp_path / "c")), columns.grams(tmp_path / "c")
    assert columns.grams(tmp_path / "c", salvage=True)["count"].sum() == 0


def test_a_trace_is_no_capture(tmp_path):
    (tmp_path / "c").write_bytes(b"DRIFTTR\n" + bytes(100))
    with pytest.raises(TraceError, match="not a driftline full capture"):
        columns.counts(tmp_path / "c")


@pytest.mark.parametrize("kind", [columns.NAMES, columns.NOTES])
@pytest.mark.parametrize(
    "said", [{float("inf"): "x"}, {"identities": 1, "lost": 2}, [1], {"lost": {1: {"x": float("inf")}}}]
)
def test_forged_names_and_notes_are_damage(tmp_path, kind, said):
    w = blocks.BlockWriter(tmp_path / "c", columns.KIND, {"offset": "noon"})
    w.add(columns.msgpack.packb(said), raw=1, count=0, kind=kind)
    w.close()
    reader = columns.Reader(tmp_path / "c", salvage=True)
    assert (list(reader), reader.damage.regions, reader.offset) == ([], 1, 0)
