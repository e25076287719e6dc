"""What has been told of each counter, so that a window says only what a counter grew.

Two copies: the one here is what was sent, the one beside the counters in the kernel is what was delivered. `commit` makes the
second equal to the first once the sink says so; a daemon that was killed goes on from the second, so that a window that was
sent but not delivered is told again and none is told twice. What a round of windows told can be kept with its frames
(`state`), so that a daemon that was killed before it could note the delivery sends those frames again, which have numbers, and
`resume`s behind them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.probes import abi
from sensor.probes.kernel import Kernel

FLOW_COUNTERS = ("opens", "bytes_out", "bytes_in", "packets_out", "packets_in")


class Told:
    """Growth since the last time, of each kind of counter."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._files = kernel.files["told"].copy()
        self._flows = kernel.flows["told"].copy()
        self._calls: dict[int, np.ndarray] = {}  # slot → calls per number, then foreign ones
        self._ring_ops: dict[int, np.ndarray] = {}  # slot → requests to io_uring per opcode
        self._slots: dict[int, tuple[int, np.ndarray]] = {}  # slot → end of its last window (ns), losses

    def files(self, until: int = (1 << 63) - 1) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the files table that were used, and how often.

        Args:
            until: ns of CLOCK_BOOTTIME. A row that was begun later is left for the next time: its record, which says what it
                is, may have been written after the rings were read.
        """
        table = self._kernel.files
        counts = table["count"].astype(np.int64)
        begun = (table["used"] == 1) & (table["first"] <= until)
        rows = np.flatnonzero(begun & (counts != self._files.astype(np.int64)))
        grown = counts[rows] - self._files[rows].astype(np.int64)
        self._files[rows] = counts[rows]
        return rows, grown

    def flows(self, until: int = (1 << 63) - 1) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the flows table that were used, and growth of `FLOW_COUNTERS` as shape (rows, 5).

        Args:
            until: As for files: the answer that names the peer of a later row may not have been read.
        """
        table = self._kernel.flows
        now = np.stack([table[c] for c in FLOW_COUNTERS], axis=1)
        begun = (table["used"] == 1) & (table["first"] <= until)
        rows = np.flatnonzero(begun & (now != self._flows).any(axis=1))
        grown = (now[rows] - self._flows[rows]).astype(np.int64)
        self._flows[rows] = now[rows]
        return rows, grown

    def calls(self, slot: int) -> tuple[dict[int, int], int]:
        """Calls per number, and foreign ones."""
        rows = self._kernel.calls[slot]
        now = np.append(rows["count"].sum(axis=0), rows["foreign"].sum() + rows["beyond"].sum())
        before = self._calls.get(slot)
        if before is None:
            before = self._kernel.calls_told(slot)
        grown = (now - before).astype(np.int64)
        self._calls[slot] = now
        numbers = np.flatnonzero(grown[: abi.CALLS])
        return dict(zip(numbers.tolist(), grown[numbers].tolist(), strict=True)), int(grown[abi.CALLS])

    def ring_ops(self, slot: int) -> dict[int, int]:
        """Requests to io_uring per opcode; of most slots there is nothing, and nothing is read."""
        if not self._kernel.slots[slot]["rings"]:
            return {}
        now = self._kernel.ring_ops[slot]["count"].sum(axis=0)
        before = self._ring_ops.get(slot)
        if before is None:
            before = self._kernel.ring_ops_told(slot)
        grown = (now - before).astype(np.int64)
        self._ring_ops[slot] = now
        numbers = np.flatnonzero(grown)
        return dict(zip(numbers.tolist(), grown[numbers].tolist(), strict=True))

    def losses(self, slot: int, end: int) -> dict[str, int]:
        """What was lost, by reason; `end` (ns, CLOCK_BOOTTIME) is when the window ends that says so."""
        row = self._kernel.slots[slot]
        now = row["lost"].copy()
        _, before = self._slots.get(slot, (0, row["lost_told"]))
        grown = (now - before).astype(np.int64).tolist()
        self._slots[slot] = (end, now)
        return {reason: lost for reason, lost in zip(abi.LOSSES, grown, strict=True) if lost}

    def commit(self) -> None:
        """Everything that was sent is delivered."""
        self._kernel.files["told"][:] = self._files
        self._kernel.flows["told"][:] = self._flows
        for slot, counts in self._calls.items():
            self._kernel.tell_calls(slot, counts)
        for slot, counts in self._ring_ops.items():
            self._kernel.tell_ring_ops(slot, counts)
        for slot, (end, lost) in self._slots.items():
            self._kernel.slots[slot]["told"] = end
            self._kernel.slots[slot]["lost_told"][:] = lost

    def state(self) -> list[Any]:
        """What was sent and not noted as delivered: plain values, each with what tells its row or slot from a later one."""
        rows = {}
        for name, sent in (("files", self._files), ("flows", self._flows)):
            table = getattr(self._kernel, name)
            differs = sent != table["told"]
            changed = np.flatnonzero(differs.any(axis=tuple(range(1, differs.ndim))))
            rows[name] = [(r, int(table["first"][r]), sent[r].tobytes()) for r in changed.tolist()]
        calls = [(s, self._generation(s), counts.tobytes()) for s, counts in self._calls.items()]
        slots = [(s, self._generation(s), end, lost.tobytes()) for s, (end, lost) in self._slots.items()]
        ring_ops = [(s, self._generation(s), counts.tobytes()) for s, counts in self._ring_ops.items()]
        return [rows["files"], rows["flows"], calls, slots, ring_ops]

    def resume(self, state: list[Any]) -> None:
        """Take up what an earlier daemon had sent, where row and slot are still what they were."""
        for name, sent, kept in (("files", self._files, state[0]), ("flows", self._flows, state[1])):
            table = getattr(self._kernel, name)
            for row, first, value in kept:
                if row < len(table) and table["used"][row] and int(table["first"][row]) == first:
                    sent[row] = np.frombuffer(value, sent.dtype).reshape(sent[row].shape)
        for sent, kept in ((self._calls, state[2]), (self._ring_ops, state[4])):
            for slot, generation, counts in kept:
                if self._generation(slot) == generation:
                    sent[slot] = np.frombuffer(counts, np.uint64).copy()
        for slot, generation, end, lost in state[3]:
            if self._generation(slot) == generation:
                self._slots[slot] = (end, np.frombuffer(lost, np.uint64).copy())
        self.commit()

    def _generation(self, slot: int) -> int:
        return int(self._kernel.slots[slot]["generation"])

    def forget(self, slot: int | None = None, *, files: list[int] = (), flows: list[int] = ()) -> None:
        """Rows were given back: they begin again at zero."""
        self._files[list(files)] = 0
        self._flows[list(flows)] = 0
        if slot is not None:
            self._calls.pop(slot, None)
            self._ring_ops.pop(slot, None)
            self._slots.pop(slot, None)
