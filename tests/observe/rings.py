"""What the kernel side hands over, played: records of its rings, and its arrays in plain memory."""

from types import SimpleNamespace

import numpy as np

from sensor.observe.memory import Memory
from sensor.observe.observer import Observer
from sensor.probes import abi
from sensor.probes.kernel import RINGS, Batch

SLOTS, ROWS = 4, 8
KINDS = {
    "paths": (abi.SEAT, abi.OPEN, abi.FOUND),
    "execs": (abi.EXEC,),
    "payloads": (abi.DNS, abi.HELLO),
    "facts": (abi.LEFT, abi.SYSCALL, abi.GRAM, abi.FORK, abi.EXIT, abi.FLOW, abi.DIAL, abi.RING, 99),
}


def observer(memory=None):
    memory = memory or Memory(None, "e")
    return Observer(node="n", epoch="e", boot=1, to_time=lambda ns: ns / 1e9, memory=memory)


def kernel():
    """Arrays as the kernel side shares them, in plain memory."""
    told = {}
    return SimpleNamespace(
        slots=np.zeros(SLOTS, abi.SLOT),
        calls=np.zeros((SLOTS, 2), abi.CALLS_ROW),
        ring_ops=np.zeros((SLOTS, 2), abi.RING_ROW),
        files=np.zeros(ROWS, abi.FILE_USE),
        flows=np.zeros(ROWS, abi.FLOW_ROW),
        calls_told=lambda slot: told.get(slot, np.zeros(abi.CALLS + 1, np.uint64)),
        tell_calls=told.__setitem__,
        ring_ops_told=lambda slot: told.get(-slot, np.zeros(abi.RING_OPS, np.uint64)),
        tell_ring_ops=lambda slot, counts: told.__setitem__(-slot, counts),
    )


def path(*parts):
    text = b"".join(p.encode() + b"\0" for p in reversed(parts))
    row = np.zeros((), abi.PATH)
    row["length"], row["parts"], row["text"] = len(text), len(parts), np.void(text.ljust(640, b"\0"))
    return row


def rows(ring, *changes):
    made = np.zeros(len(changes), RINGS[ring])
    for row, change in zip(made, changes, strict=True):
        for name, value in ({"slot": 1, "generation": 1} | change).items():
            row[name] = value
    return made


def batch(**rings):
    return Batch(**({n: rows(n) for n in RINGS} | rings))


SEAT = {"kind": abi.SEAT, "a": 77, "time": 1, "path": path("lab", "w1")}


def seated(memory=None):
    made = observer(memory)
    made.take(batch(paths=rows("paths", SEAT)))
    return made


def ran(time, pid, *parts, **changes):
    return {"kind": abi.EXEC, "time": time, "pid": pid, "image": hash(parts) & 0xFFFF, "path": path(*parts)} | changes


def noise(ring, seed, count):
    """Rows of random bytes, of slots and kinds that exist."""
    random = np.random.default_rng(seed)
    dtype = RINGS[ring]
    made = np.frombuffer(random.bytes(dtype.itemsize * count), dtype).copy()
    made["kind"] = random.choice(KINDS[ring], count)
    made["slot"] = random.integers(0, SLOTS, count)
    made["generation"] = random.integers(0, 2, count)
    if ring in ("facts", "paths"):
        made["a"] = np.where(random.integers(0, 2, count), random.integers(0, ROWS, count), made["a"])
    return made
