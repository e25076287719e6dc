"""What the probe of io_uring adds to requests: `python -m bench.rings [ROUNDS]`.

One process asks as fast as it can, 64 requests to a call, first for nothing (nothing is cheaper, so no share can be larger), then
for 4 KiB of a file in memory. Its own time on the CPU counts, lest other work on the machine be taken for the probe's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.stage import Empty, Nothing, Probes, Stage
from sensor.probes import tracepoints
from sensor.probes.catalogue import BY_NAME

REQUESTS = 1_000_000
SOURCE = Path(__file__).parents[1] / "tests/kernel/loads"


def main(rounds: int = 15) -> None:
    stage = Stage()
    try:
        for name in ("ring", "enter"):
            subprocess.run(["gcc", "-O2", "-o", stage.folder / name, SOURCE / f"{name}.c"], check=True)
        (stage.folder / "file").write_bytes(bytes(4096))
        turns = _turns(stage)
        for what, steps in (("nothing", ()), ("4 KiB", (f"open:{stage.folder}/file",))):
            print(f"{what}:")
            _say(_measured(stage, turns, rounds, *steps, f"{'read' if steps else 'nop'}:{REQUESTS}"))
    finally:
        stage.clear()


def _say(found: dict[str, list[float]]) -> None:
    off = found["off"]
    for name, values in found.items():
        added = [v - o for v, o in zip(values, off, strict=True)]
        ratios = [v / o for v, o in zip(values, off, strict=True)]
        print(f"  {name:26} {_words(values, 0)} ns, added {_words(added, 0)}, ratio {_words(ratios, 2)}")


def _turns(stage: Stage) -> dict[str, tuple[Callable, Path]]:
    """What is on, and where the process is, by name."""
    inside, outside = stage.cgroup("ring"), stage.cgroup("ring", inside=False)
    rest = ("syscalls", "process", "files")
    without, with_it = (
        Probes(stage.settings(n, probes=p)) for n, p in (("rest", rest), ("rings", (*rest, "io_uring")))
    )
    ours, _ = tracepoints.found(BY_NAME["io_uring"])
    empty = Empty()
    return {
        "off": (Nothing().on, inside),
        "off, again": (Nothing().on, inside),
        "two empty tracepoints": (lambda: empty.on(*(h.target.encode() for h in ours.hooks)), inside),
        "other probes": (without.on, inside),
        "with io_uring": (with_it.on, inside),
        "with io_uring, out of scope": (with_it.on, outside),
    }


def _measured(
    stage: Stage, turns: dict[str, tuple[Callable, Path]], rounds: int, *steps: str
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, (on, cgroup) in turns.items():
            with on():
                found[name].append(_nanoseconds(stage, cgroup, steps))
    return found


def _nanoseconds(stage: Stage, cgroup: Path, steps: tuple[str, ...]) -> float:
    """CPU time of one request, with its share of the process's beginning and end."""
    child = subprocess.Popen([stage.folder / "enter", cgroup, stage.folder / "ring", "plain", *steps])
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, child.returncode
    return (used.ru_utime + used.ru_stime) * 1e9 / REQUESTS


def _words(values: list[float], digits: int) -> str:
    """Median, and the middle half."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
