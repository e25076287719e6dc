"""Everything that is pinned of one sensor, opened: arrays, rings, and what the daemon may change.

Arrays are shared with the kernel. The daemon writes only `*told` members, and whole rows of a slot that nobody uses any more.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensor.probes import abi
from sensor.probes.maps import Map, MapError, Ring

RINGS = {"paths": abi.PATH_FACT, "execs": abi.EXEC_FACT, "payloads": abi.PAYLOAD_FACT, "facts": abi.FACT}


@dataclass(frozen=True, slots=True)
class Batch:
    """What the rings held at one moment, each as a structured array, oldest first."""

    paths: np.ndarray
    execs: np.ndarray
    payloads: np.ndarray
    facts: np.ndarray

    def __len__(self) -> int:
        return len(self.paths) + len(self.execs) + len(self.payloads) + len(self.facts)


class PerCpu:
    """Counts by slot, a row for each CPU. Only the slot that is looked at is mapped: on a machine with many CPUs the whole table is
    larger than all else that the daemon holds."""

    def __init__(self, table: Map | None, slots: int, dtype: np.dtype) -> None:
        self._table, self._dtype = table, dtype
        self._cpus = 1 if table is None else table.entries // slots

    def __getitem__(self, slot: int) -> np.ndarray:
        if self._table is None:  # its probe is off
            return np.zeros(1, self._dtype)
        return self._table.array(self._dtype, slot * self._cpus, self._cpus)


class Kernel:
    """The maps of one set of pins.

    Raises:
        MapError: Pins are missing or have another layout.
    """

    def __init__(self, folder: Path) -> None:
        self._maps = {p.name: Map(p) for p in sorted(folder.iterdir()) if not p.name.startswith("link_")}
        self.slots = self._array("slots", abi.SLOT)
        self.seats = self._array("seats", np.dtype("<u8"))
        self.calls = PerCpu(self._maps.get("calls"), len(self.slots), abi.CALLS_ROW)
        self.ring_ops = PerCpu(self._maps.get("ring_ops"), len(self.slots), abi.RING_ROW)
        self.files = self._array("files", abi.FILE_USE)
        self.flows = self._array("flows", abi.FLOW_ROW)
        self.rings = {n: Ring(self._maps[n], t) for n, t in RINGS.items() if n in self._maps}
        self._poll, self._guests = select.epoll(), set()
        for ring in self.rings.values():
            self._poll.register(ring.fd, select.EPOLLIN)

    def _array(self, name: str, dtype: np.dtype) -> np.ndarray:
        if name not in self._maps:  # its probe is off
            return np.zeros(0 if name in ("files", "flows") else 1, dtype)
        return self._maps[name].array(dtype)

    def wait(self, seconds: float) -> bool:
        """Whether a ring has records before the time is over; a guest ends the waiting, too."""
        return any(fd not in self._guests for fd, _ in self._poll.poll(max(0.0, seconds)))

    def invite(self, fd: int) -> None:
        """Ends `wait` each time that the writer of this descriptor asks for it, not for as long as it is readable."""
        self._guests.add(fd)
        self._poll.register(fd, select.EPOLLIN | select.EPOLLET)

    def dismiss(self, fd: int) -> None:
        """To be called before the descriptor is closed: its number may be another's soon."""
        self._poll.unregister(fd)
        self._guests.discard(fd)

    def read(self, until: int) -> Batch:
        """What waits in the rings; it stays there until `done`.

        Args:
            until: ns of CLOCK_BOOTTIME, before this call. Later records wait, or a fork that is read from the last ring would
                come before the record in the first ring that says who its parent is.
        """
        empty = {n: np.zeros(0, t) for n, t in RINGS.items() if n not in self.rings}
        return Batch(**({n: _before(r.read(), until) for n, r in self.rings.items()} | empty))

    def done(self, batch: Batch) -> None:
        for name, ring in self.rings.items():
            ring.done(len(getattr(batch, name)))

    def processes(self) -> dict[int, np.void]:
        """Processes that the kernel side knows, by pid."""
        table = self._maps.get("processes")
        rows = {} if table is None else {k: table.get(k) for k in table.keys()}  # noqa: SIM118 - a map, not a dict
        return {struct.unpack("<I", k)[0]: np.frombuffer(v, abi.PROCESS)[0] for k, v in rows.items() if v is not None}

    def images(self) -> dict[int, bytes]:
        """Path, as parts, of every process image that was run."""
        table = self._maps.get("images")
        rows = {} if table is None else {k: table.get(k) for k in table.keys()}  # noqa: SIM118 - a map, not a dict
        found = {struct.unpack("<Q", k)[0]: np.frombuffer(v, abi.PATH)[0] for k, v in rows.items() if v is not None}
        return {k: bytes(v["text"])[: int(v["length"])] for k, v in found.items()}

    def adopt_process(self, pid: int, row: np.void) -> bool:
        """Makes a process known that began before the probes did."""
        return "processes" in self._maps and self._maps["processes"].put(struct.pack("<I", pid), row.tobytes())

    def adopt_image(self, image: int, text: bytes) -> bool:
        row = np.zeros((), abi.PATH)
        row["length"], row["parts"], row["text"] = len(text), text.count(b"\0"), np.void(text.ljust(640, b"\0"))
        return "images" in self._maps and self._maps["images"].put(struct.pack("<Q", image), row.tobytes())

    def adopt_socket(self, cookie: int, value: bytes) -> bool:
        return "talks" in self._maps and self._maps["talks"].put(struct.pack("<Q", cookie), value)

    def adopt_listener(self, slot: int, port: int) -> bool:
        return "listeners" in self._maps and self._maps["listeners"].put(struct.pack("<IHH", slot, port, 0), bytes(8))

    def watch_doors(self, ports: Iterable[int], namespace: int) -> None:
        """The ports of our own receivers, connections to which are told; others are told no more.

        Args:
            namespace: number of the network namespace in which they listen.
        """
        if "doors" not in self._maps:  # its probe is off
            return
        wanted = {struct.pack("<H", port) for port in ports}
        for key in set(self._maps["doors"].keys()) - wanted:
            self._maps["doors"].drop(key)
        for key in wanted:
            self._maps["doors"].put(key, struct.pack("<I", namespace))

    def seat_of(self, cgroup: int) -> int | None:
        """Slot of a cgroup; None where it has none."""
        found = self._maps["owners"].get(struct.pack("<Q", cgroup))
        return None if found is None else struct.unpack("<I", found)[0]

    def take_seat(self, cgroup: int, now: int) -> int | None:
        """Gives a cgroup a slot that has not made a call yet; None where no slot is free.

        Args:
            now: ns of CLOCK_BOOTTIME.
        """
        known = self.seat_of(cgroup)
        taken = self._maps["free_slots"].pop() if known is None else None
        if taken is None:
            return known
        slot = struct.unpack("<I", taken)[0]
        row = self.slots[slot]
        row["taken"], row["left"], row["cgroup"] = now, 0, cgroup
        row["generation"] += 1  # before others find the slot
        if not self._maps["owners"].put(struct.pack("<Q", cgroup), taken, only_new=True):
            row["cgroup"] = 0
            self._maps["free_slots"].put(None, taken)  # it made its first call this moment
            return self.seat_of(cgroup)
        self.seats[cgroup & (abi.SEATS - 1)] = (cgroup & ~(abi.SEATS - 1)) | slot
        return slot

    def exclude(self, cgroup: int) -> None:
        """Filters a cgroup out in the kernel for good; it must not have a slot."""
        self._maps["owners"].put(struct.pack("<Q", cgroup), struct.pack("<I", abi.OUTSIDE), only_new=True)
        self.seats[cgroup & (abi.SEATS - 1)] = (cgroup & ~(abi.SEATS - 1)) | abi.OUTSIDE

    def fill(self) -> dict[str, float]:
        """How full each bounded table is, 0 to 1."""
        used = {
            "slots": np.count_nonzero(self.slots["cgroup"]) / max(1, len(self.slots) - 1),
            "files": np.count_nonzero(self.files["used"]) / max(1, len(self.files)),
            "flows": np.count_nonzero(self.flows["used"]) / max(1, len(self.flows)),
        }
        return {k: float(v) for k, v in used.items()} | {f"ring_{n}": r.fill() for n, r in self.rings.items()}

    def calls_told(self, slot: int) -> np.ndarray:
        """What was delivered of a slot's calls per number, and at the end of its foreign ones; int64, `CALLS` + 1."""
        found = self._maps["calls_told"].get(struct.pack("<I", slot)) if "calls_told" in self._maps else None
        return (
            np.zeros(abi.CALLS + 1, np.uint64) if found is None else np.frombuffer(found, "<u8", abi.CALLS + 1).copy()
        )

    def tell_calls(self, slot: int, counts: np.ndarray) -> None:
        """Notes what was delivered; not in shared memory, which would count as resident."""
        row = np.zeros((), abi.CALLS_ROW)
        row["count"], row["foreign"] = counts[: abi.CALLS], counts[abi.CALLS]
        if "calls_told" in self._maps:
            self._maps["calls_told"].put(struct.pack("<I", slot), row.tobytes())

    def ring_ops_told(self, slot: int) -> np.ndarray:
        """What was delivered of a slot's requests to io_uring, per opcode."""
        found = self._maps["ring_ops_told"].get(struct.pack("<I", slot)) if "ring_ops_told" in self._maps else None
        return np.zeros(abi.RING_OPS, np.uint64) if found is None else np.frombuffer(found, "<u8").copy()

    def tell_ring_ops(self, slot: int, counts: np.ndarray) -> None:
        """Notes what was delivered."""
        if "ring_ops_told" in self._maps:
            self._maps["ring_ops_told"].put(struct.pack("<I", slot), counts.astype("<u8").tobytes())

    def release(self, slot: int) -> tuple[list[int], list[int]]:
        """Gives a slot back whose cgroup is gone and whose last reading is delivered.

        Returns:
            The rows of files and of flows that were given back with it.
        """
        cgroup = int(self.slots[slot]["cgroup"])
        self._maps["owners"].drop(struct.pack("<Q", cgroup))
        seat = cgroup & (abi.SEATS - 1)
        if int(self.seats[seat]) == (cgroup & ~(abi.SEATS - 1)) | slot:
            self.seats[seat] = 0
        files = np.flatnonzero((self.files["used"] == 1) & (self.files["slot"] == slot))
        flows = np.flatnonzero((self.flows["used"] == 1) & (self.flows["slot"] == slot))
        self._free_files(files)
        self._free_flows(flows)
        self.calls[slot][:] = np.zeros((), abi.CALLS_ROW)
        self.tell_calls(slot, np.zeros(abi.CALLS + 1, np.uint64))
        if self.slots[slot]["rings"]:
            self.ring_ops[slot][:] = np.zeros((), abi.RING_ROW)
            self.tell_ring_ops(slot, np.zeros(abi.RING_OPS, np.uint64))
        if "grams" in self._maps:  # not mapped: the kernel alone reads it, and 16 MiB would count as ours
            self._maps["grams"].put(struct.pack("<I", slot), bytes(abi.GRAM_ROW.itemsize))
        for member in ("cgroup", "left", "taken", "rings", "told", "lost", "lost_told"):
            self.slots[slot][member] = 0
        self._maps["free_slots"].put(None, struct.pack("<I", slot))
        return files.tolist(), flows.tolist()

    def _free_files(self, rows: np.ndarray) -> None:
        for row in rows.tolist():
            r = self.files[row]
            key = struct.pack("<QQII", int(r["image"]), int(r["file"]), int(r["slot"]), int(r["writes"]))
            self._free("files", "file_rows", "free_files", key, row)

    def _free_flows(self, rows: np.ndarray) -> None:
        for row in rows.tolist():
            r = self.flows[row]
            key = struct.pack("<Q", int(r["image"])) + (bytes(16) if r["ingress"] else bytes(r["peer"]))
            key += struct.pack("<IHBB", int(r["slot"]), int(r["port"]), int(r["protocol"]), int(r["ingress"]))
            self._free("flows", "flow_rows", "free_flows", key, row)

    def _free(self, name: str, index: str, queue: str, key: bytes, row: int) -> None:
        table, shared = getattr(self, name), abi.SHARED.index(name)
        slot = int(table[row]["slot"])
        self._maps[index].drop(key)
        table[row] = np.zeros((), table.dtype)
        self._maps[queue].put(None, struct.pack("<I", row))
        # Last: if we die before it, the slot seems to hold a row too many; the other way round it would hold less than none.
        self.slots["gave"][[0, slot], shared] += 1

    def free_files(self, before: int, share: float) -> list[int]:
        """Gives rows of files back that are delivered: those last used before a time, and what a slot holds beyond its share.

        Args:
            before: ns of CLOCK_BOOTTIME.
            share: of the table, 0 to 1; beyond it the longest unused go first.

        Returns:
            Their numbers.
        """
        rows = _spare(self.files, self.files["count"] == self.files["told"], before, share)
        self._free_files(rows)
        return rows.tolist()

    def free_flows(self, before: int, share: float) -> list[int]:
        """The same for rows of flows."""
        f = self.flows
        counts = (f["opens"], f["bytes_out"], f["bytes_in"])
        rows = _spare(f, np.logical_and.reduce([c == f["told"][:, i] for i, c in enumerate(counts)]), before, share)
        self._free_flows(rows)
        return rows.tolist()


def _spare(table: np.ndarray, told: np.ndarray, before: int, share: float) -> np.ndarray:
    """Rows that can go: idle ones, and of what a slot holds beyond its share those that are longest unused."""
    used = table["used"] == 1
    spare = used & told & (table["last"] < before)
    for slot, count in zip(*np.unique(table["slot"][used & ~spare], return_counts=True), strict=True):
        beyond = int(count) - int(share * len(table))
        if beyond > 0:
            own = np.flatnonzero(used & told & ~spare & (table["slot"] == slot))
            spare[own[np.argsort(table["last"][own], kind="stable")][:beyond]] = True
    return np.flatnonzero(spare)


def _before(rows: np.ndarray, until: int) -> np.ndarray:
    late = np.flatnonzero(rows["time"] > until)
    return rows[: int(late[0])] if len(late) else rows


__all__ = ["Batch", "Kernel", "MapError"]
