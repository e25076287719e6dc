"""Batches of CPUs to rows: each row once, each thread in its order, every loss a number; however looks and fills fall."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.capture import FOREVER, SIZE, Merger
from sensor.probes import abi

ENDLESS = 10_000


class Cpus:
    """What the kernel side does: calls go to the batch of their CPU, full batches to a ring of limited size."""

    def __init__(self, cpus: int, room: int) -> None:
        self.staged = np.zeros(cpus, abi.BATCH)
        self.ring: list[np.void] = []
        self.room, self.now, self.made, self.lost = room, 0, [], 0

    def call(self, cpu: int, tid: int) -> None:
        self.now += 1
        self.made.append((self.now, tid))
        batch = self.staged[cpu]
        batch["row"][int(batch["count"])] = (self.now, tid, len(self.made) % 400, 1)
        batch["count"] += 1
        if batch["count"] == SIZE:
            self._pass_on(cpu, batch)

    def _pass_on(self, cpu: int, batch: np.void) -> None:
        batch["cpu"] = cpu
        if len(self.ring) < self.room:
            self.ring.append(batch.copy())
        else:
            self.lost += SIZE
        batch["count"], batch["sequence"] = 0, batch["sequence"] + 1

    def look(self) -> np.ndarray:
        """As `Ring.look` gives them: with the header of the ring's own record."""
        names = ["header", *abi.BATCH.names]
        formats = ["<u8", *(abi.BATCH.fields[n][0] for n in abi.BATCH.names)]
        rows = np.zeros(len(self.ring), np.dtype({"names": names, "formats": formats}))
        for row, batch in zip(rows, self.ring, strict=True):
            for name in abi.BATCH.names:
                row[name] = batch[name]
        return rows


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(1, 300), st.booleans(), st.integers(0, 400)),
    max_size=25,
)


def run(steps, room):
    """Bursts of one thread on one CPU, with looks between them that go up to some time ago."""
    cpus, merger, found, limit = Cpus(3, room), Merger(3), [], 0
    for cpu, tid, calls, looks, ago in steps:
        for _ in range(calls):
            cpus.call(cpu, tid)
        if looks:
            limit = max(limit, cpus.now - ago)
            found += take(merger, cpus, limit)
    return cpus, merger, found + take(merger, cpus, FOREVER)


def take(merger, cpus, until):
    pieces, done = merger.take(cpus.look(), cpus.staged.copy(), until)
    del cpus.ring[:done]
    return [(int(r["time"]), int(r["tid"])) for piece in pieces for r in piece]


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_each_row_comes_once_and_each_thread_in_its_order(steps):
    cpus, merger, found = run(steps, ENDLESS)
    assert sorted(found) == cpus.made
    for tid in range(1, 5):
        own = [time for time, t in found if t == tid]
        assert own == sorted(own)
    assert merger.missing == 0


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 3))
def test_what_is_missing_is_counted_and_nothing_comes_twice(steps, room):
    cpus, merger, found = run(steps, room)
    assert len(set(found)) == len(found)
    assert len(found) + merger.missing == len(cpus.made)
    assert cpus.lost - sum(merger.rescued.values()) == merger.missing
    for tid in range(1, 5):
        own = [time for time, t in found if t == tid]
        assert own == sorted(own)


def test_nothing_is_taken_from_nothing():
    pieces, done = Merger(2).take(Cpus(2, 1).look(), np.zeros(2, abi.BATCH), FOREVER)
    assert (pieces, done) == ([], 0)
