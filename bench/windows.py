"""Thirty days of one agent's windows, from a trace file to its envelope."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from classifier.pipeline import Pipeline
from classifier.policy import Policy
from wire.records import Behaviour, CgroupId, Head, Identity, Record, Replica, Tick, Use, Window, Workload
from wire.trace import Writer, read

DAYS, INTERVAL, USES, RUNS = 30, 10.0, 20, 3


def stream() -> Iterator[Record]:
    """One replica that does twenty things in every window."""
    replica = Replica("n1", CgroupId(1))
    yield Head(0.0, "n1", "6.18", "e1", "/", INTERVAL)
    yield Identity(0.0, replica, "/a", Workload("lab/shop/Deployment/agent/agent"), "r1", "rule")
    data = {"lineage": "python3.11", "address": "10.0.0.9"}
    calls = {0: 40, 1: 30, 3: 12, 42: 3, 44: 3, 45: 1, 202: 8, 257: 12}
    for number in range(int(DAYS * 86400 / INTERVAL)):
        size = 2000 + number % 97
        uses = tuple(
            Use(Behaviour(f"egress:tcp:host{i}.example.org:443"), 3, bytes_out=size, bytes_in=9 * size, data=data)
            for i in range(USES)
        )
        yield Window(replica, number * INTERVAL, (number + 1) * INTERVAL, uses, calls)
        yield Tick("n1", (number + 1) * INTERVAL)


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds for all of it, the median of some runs."""
    say("thirty days of windows")
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as folder:
        path = Path(folder) / "month.trace"
        with Writer(path) as writer:
            for record in stream():
                writer.add(record)
        times = [_replay(path) for _ in range(RUNS)]
        size = path.stat().st_size / 1e6
    value = round(statistics.median(times), 2)
    spread = f"{min(times):.2f} to {max(times):.2f}"
    return {
        "rows": [
            {
                "what": f"30 days of one agent, {USES} uses a window ({spread})",
                "value": value,
                "unit": "s",
                "asked": "< 5",
            },
            {"what": "its trace", "value": round(size, 1), "unit": "MB", "asked": ""},
        ]
    }


def _replay(path: Path) -> float:
    begun = time.perf_counter()
    pipeline = Pipeline(Policy())
    for record in read(path):
        pipeline.feed(record)
    return time.perf_counter() - begun
