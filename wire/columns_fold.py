"""What a full capture adds up to: calls per slot and number, trigrams per thread. Blocks in, arrays out."""

from __future__ import annotations

import numpy as np

from wire.columns import SLOT, TID, TIDS, Columns
from wire.syscalls import BEYOND

NUMBERS = BEYOND + 1
DENSE = 1 << 20  # cells of a block's own table; with more, sorting is cheaper
SLOTS = 1 << 16
MERGE_AT = 1 << 21  # keys that wait before they are merged
GRAM = np.dtype([("slot", "<u2"), ("gram", "<u4"), ("count", "<i8")])


class Counts:
    """Calls per slot and number."""

    def __init__(self) -> None:
        self._table = np.zeros((SLOTS, NUMBERS), np.int64)  # pages that no slot touches are never there
        self._most = 0

    def add(self, columns: Columns) -> None:
        """Count one block."""
        slots, lengths = columns.threads(SLOT)
        present, codes = _coded(slots, SLOTS)
        known = _known(columns.numbers())
        bases = codes * NUMBERS
        keys = (bases if lengths is None else np.repeat(bases, lengths)) + known
        if len(present) * NUMBERS <= DENSE:
            found = np.bincount(keys, minlength=len(present) * NUMBERS)
            self._table[present] += found.reshape(len(present), NUMBERS)
        else:
            keys, times = _tallied(keys)
            self._table[present[keys // NUMBERS], keys % NUMBERS] += times
        self._most = max(self._most, int(present[-1]) + 1)

    def result(self) -> np.ndarray:
        """array[slot, number], up to the last slot that made a call."""
        return self._table[: self._most]


def _known(numbers: np.ndarray) -> np.ndarray:
    """Numbers with every one beyond the table as one; a narrow column holds none of them."""
    return numbers if numbers.dtype.itemsize == 1 else np.minimum(numbers, BEYOND)


def _coded(values: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Which values there are, in order, and each value as its place among them."""
    there = np.zeros(limit, np.bool_)
    there[values] = True
    present = np.flatnonzero(there)
    places = np.zeros(limit, np.int64)
    places[present] = np.arange(len(present))
    return present, places[values]


def _tallied(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys, sorted, and how often each is there. `np.unique` does the same twenty times slower."""
    ordered = np.sort(keys)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[starts], np.diff(starts, append=len(ordered))


class Grams:
    """Trigrams of every thread, over the borders of blocks.

    Rows of a block are put in the order of threads; inside a thread they keep the order of their times. A thread id that
    was used twice is one thread, for a capture does not say when a thread ended.
    """

    def __init__(self) -> None:
        self._last = np.zeros(TIDS, np.uint32)  # thread → its last two symbols, before << 10 | last; lazily there
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._size = 0

    def add(self, columns: Columns) -> None:
        """Take one block."""
        tids, slots, symbols = self._by_thread(columns)
        first = np.flatnonzero(np.concatenate(([True], tids[1:] != tids[:-1])))
        states = self._last[tids[first]]
        packed = _packed(symbols, first, states)
        last = np.append(first[1:], len(tids)) - 1
        self._last[tids[first]] = packed[last] & np.uint32(0xFFFFF)
        keys, times = _tallied(slots.astype(np.uint64) << np.uint64(32) | packed)
        self._waiting.append((keys, times))
        self._size += len(keys)
        if self._size > MERGE_AT:
            self._merge()

    def _by_thread(self, columns: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tids, lengths = columns.threads(TID)
        slots, _ = columns.threads(SLOT)
        if int(tids.max()) >= TIDS:
            raise ValueError("a thread id beyond the kernel's limit")
        symbols = _known(columns.numbers()).astype(np.uint32) + np.uint32(1)
        if not columns.ordered:
            tids, slots = (v if lengths is None else np.repeat(v, lengths) for v in (tids, slots))
            order = np.lexsort((columns.times(), tids))
            return tids[order], slots[order], symbols[order]
        order = _stable(tids)
        if lengths is None:
            return tids[order], slots[order], symbols[order]
        return _spread(tids, slots, symbols, lengths, order)

    def _merge(self) -> None:
        keys = np.concatenate([k for k, _ in self._waiting])
        times = np.concatenate([t for _, t in self._waiting])
        order = np.argsort(keys, kind="stable")
        keys, times = keys[order], times[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        self._waiting = [(keys[starts], np.add.reduceat(times, starts))]
        self._size = 0

    def result(self) -> np.ndarray:
        """(slot, gram, count), sorted by slot and gram."""
        if not self._waiting:
            return np.empty(0, GRAM)
        self._merge()
        keys, times = self._waiting[0]
        found = np.empty(len(keys), GRAM)
        found["slot"], found["gram"], found["count"] = keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF), times
        return found


def _stable(tids: np.ndarray) -> np.ndarray:
    """Order by thread that keeps the order of rows: the place in the low bits makes a plain sort stable, and fast."""
    keys = tids.astype(np.uint64) << np.uint64(16) | np.arange(len(tids), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFF)).astype(np.int64)


def _spread(tids, slots, symbols, lengths, order) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in the order of their runs' threads."""
    starts = np.cumsum(lengths) - lengths
    sizes = lengths[order]
    ends = np.cumsum(sizes)
    places = np.repeat(starts[order] - (ends - sizes), sizes) + np.arange(len(symbols))
    return np.repeat(tids[order], sizes), np.repeat(slots[order], sizes), symbols[places]


def _packed(symbols: np.ndarray, first: np.ndarray, states: np.ndarray) -> np.ndarray:
    """The gram that each row ends. `first` are the places where a thread begins, `states` what it had called before."""
    before, last = np.empty_like(symbols), np.empty_like(symbols)
    last[1:], before[2:] = symbols[:-1], symbols[:-2]
    last[first], before[first] = states & np.uint32(0x3FF), states >> np.uint32(10)
    second = first[np.diff(first, append=len(symbols)) > 1] + 1
    before[second] = last[second - 1]
    return before << np.uint32(20) | last << np.uint32(10) | symbols
