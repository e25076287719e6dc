"""How fast captures are read: driftline's columns beside ``sysdig -r FILE -c topscalls``, on the same calls.

    .venv/bin/python bench/replay.py [--json] [--events N] [--runs N]

The .scap is made from a shared public capture: its events again and again, each time later. The columns hold as many rows
as it has calls (a .scap has an entry and a return), but repeated rows would compress to nothing, so they are short pieces
of the capture in a random order, with random times between calls, over 64 threads in the kernel's batches of 128. Runs
alternate between the readers; the table has medians and the lowest and highest run. One core each; no root.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sensor.importers import scap, scap_blocks
from sensor.importers import scap_table as table
from wire import columns

SOURCE = Path(__file__).parents[2] / "shared" / "data" / "scap" / "curl_google.scap"
PROCINFO = 234
THREADS, BATCH = 64, 128
FILTER = "evt.type=mount"


def split(source: Path) -> tuple[bytes, list[bytes]]:
    """What comes before the events of a capture, and its events, without the states of processes that end it."""
    data = gzip.decompress(source.read_bytes())
    before, events, at = bytearray(), [], 0
    while at < len(data):
        kind, length = scap_blocks.BLOCK.unpack_from(data, at)
        whole = data[at : at + length]
        if kind not in scap_blocks.EVENTS:
            before += whole
        elif scap_blocks.event(kind, whole[8:-4]).kind != PROCINFO:
            events.append(whole)
        at += length
    return bytes(before), events


def multiplied(source: Path, path: Path, wanted: int) -> int:
    """A capture of at least `wanted` events. Returns how many it has."""
    before, events = split(source)
    body = np.frombuffer(b"".join(events), np.uint8).copy()
    starts = np.cumsum([0, *map(len, events[:-1])])
    places = starts[:, None] + np.arange(8)[None, :] + np.array(
        [8 + scap_blocks.EVENTS[struct.unpack_from("<I", e)[0]][0] for e in events]
    )[:, None]  # fmt: skip
    times = body[places].copy().view("<u8")[:, 0]
    span, rounds = int(times[-1] - times[0]) + 1_000, -(-wanted // len(events))
    with path.open("wb") as out:
        out.write(before)
        for turn in range(rounds):
            body[places] = (times + np.uint64(turn * span))[:, None].view(np.uint8)
            out.write(body.tobytes())
    return rounds * len(events)


def columns_of(source: Path, path: Path, events: int) -> int:
    """The same calls as rows. Returns how many."""
    _, blocks = split(source)
    found = [scap_blocks.event(struct.unpack_from("<I", b)[0], b[8:-4]) for b in blocks]
    entries: dict[int, scap_blocks.RawEvent] = {}
    rows = []
    for e in found:
        if not e.kind & 1:
            entries[e.tid] = e
        elif table.is_call(e.kind):
            rows.append((e.time, e.tid, call_of(e, entries.get(e.tid, e)), 0))
    data = shuffled(np.array(rows, columns.ROW), len(rows) * (events // len(blocks)))
    with columns.Writer(path) as w:
        w.add(data)
    return len(data)


def shuffled(rows: np.ndarray, size: int) -> np.ndarray:
    """Pieces of 1 to 30 calls in a random order, 200 ns apart on average (5 million a second), over threads."""
    random = np.random.default_rng(1)
    lengths = random.integers(1, 31, size // 8)
    starts = random.integers(0, len(rows) - 30, len(lengths))
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    out = rows[(np.repeat(starts, lengths) + offsets)[:size]]
    out["time"] = rows["time"][0] + np.cumsum(random.exponential(200, len(out)).astype(np.uint64))
    out["tid"] = 5000 + np.repeat(random.integers(0, THREADS, len(out) // BATCH + 1), BATCH)[: len(out)]
    out["slot"] = out["tid"] % 20
    return out


def call_of(e: scap_blocks.RawEvent, entry: scap_blocks.RawEvent) -> int:
    """The number of the call that returns; in old captures only its entry tells a generic one's."""
    if e.kind == table.GENERIC_EXIT:
        return int.from_bytes((entry.params[1:] or [b""])[0][:2], "little")
    return scap.NUMBERS[e.kind >> 1] or 0


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def command(*words: str) -> Callable[[], object]:
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def readers(capture: Path, rows: Path) -> dict[str, tuple[str, Callable[[], object]]]:
    """Name → which file it reads, and how."""
    ours: dict[str, tuple[str, Callable[[], object]]] = {
        "driftline counts": ("columns", lambda: columns.counts(rows)),
        "driftline sequences": ("columns", lambda: columns.grams(rows)),
        "driftline all columns": ("columns", lambda: [None for _ in columns.blocks(rows)]),
        "driftline import of .scap": ("small", lambda: [None for _ in scap.records(SOURCE)]),
    }
    if shutil.which("sysdig"):
        ours["sysdig topscalls"] = "scap", command("sysdig", "-r", str(capture), "-c", "topscalls")
        ours["sysdig filter without a match"] = "scap", command("sysdig", "-r", str(capture), FILTER)
    return ours


def measure(events: int, runs: int) -> list[dict[str, object]]:
    """Every reader, one after the other, `runs` times over."""
    with tempfile.TemporaryDirectory() as folder:
        capture, rows = Path(folder) / "big.scap", Path(folder) / "big.columns"
        sizes = {"scap": multiplied(SOURCE, capture, events), "small": len(split(SOURCE)[1])}
        sizes["columns"] = columns_of(SOURCE, rows, sizes["scap"])
        calls = {
            "scap": sizes["columns"],
            "columns": sizes["columns"],
            "small": sizes["columns"] * sizes["small"] // sizes["scap"],
        }
        stored = {"scap": capture.stat().st_size, "columns": rows.stat().st_size, "small": SOURCE.stat().st_size}
        ready = readers(capture, rows)
        times: dict[str, list[float]] = {name: [] for name in ready}
        for _ in range(runs):
            for name, (_, work) in ready.items():
                times[name].append(seconds(work))
    return [line(n, sizes[f], calls[f], stored[f], times[n]) for n, (f, _) in ready.items()]


def line(name: str, events: int, calls: int, size: int, times: list[float]) -> dict[str, object]:
    rates = sorted(events / t / 1e6 for t in times)
    return {
        "reader": name,
        "events": events,
        "million_events_per_second": statistics.median(rates),
        "lowest": rates[0],
        "highest": rates[-1],
        "million_calls_per_second": calls / statistics.median(times) / 1e6,
        "bytes_per_event": size / events,
        "runs": len(times),
    }


def shown(lines: list[dict[str, object]]) -> str:
    out = [f"{'reader':32}{'events':>10}{'M events/s':>12}{'lowest':>9}{'highest':>9}{'M calls/s':>11}{'B/event':>9}"]
    for x in lines:
        rate = f"{x['million_events_per_second']:12.2f}{x['lowest']:9.2f}{x['highest']:9.2f}"
        out.append(
            f"{x['reader']:32}{x['events']:10}{rate}{x['million_calls_per_second']:11.2f}{x['bytes_per_event']:9.1f}"
        )
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the reading of captures.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    if not SOURCE.exists():
        print(f"{SOURCE} is not here; it lies beside the checkout", file=sys.stderr)
        return 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, and the same for all
    lines = measure(options.events, options.runs)
    print(json.dumps(lines, indent=1) if options.json else shown(lines))
    if not shutil.which("sysdig"):
        print("sysdig is not installed: its lines are missing", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
