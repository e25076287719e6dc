"""ns that probes add to a getppid in a tight loop on one CPU, inside and outside the scope, beside an empty raw tracepoint."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.stage import NEIGHBOURS, Empty, Nothing, Probes, Stage, alone, hooked
from bench.statistic import added, ratio

CALLS, RUNS = 200_000, 4
TRIES = 5
STRACE_CALLS = 4000
FLOOR = "empty tracepoint"


class Loop:
    """A process in its cgroup, on its CPU, that measures when it is asked."""

    def __init__(self, stage: Stage, cgroup: Path, what: str = "call", before: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [*before, stage.folder / "loop", cgroup, str(max(os.sched_getaffinity(0))), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def nanoseconds(self, calls: int = CALLS, runs: int = RUNS) -> float:
        self._process.stdin.write(f"{calls} {runs}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def measure(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Rounds of every configuration in turn, each inside and outside the scope."""
    inside, outside = Loop(stage, stage.cgroup("loop")), Loop(stage, stage.cgroup("loop", inside=False))
    empty = Empty()
    configurations = {
        "off": Nothing().on,
        FLOOR: empty.on,
        "two empty tracepoints": lambda: empty.on(b"sys_enter", b"sys_exit"),
        "syscalls": Probes(stage.settings("syscalls", probes=("syscalls",))).on,
        "process": Probes(stage.settings("process", probes=("process",))).on,
        "all": Probes(stage.settings("all")).on,
        "full capture": Probes(stage.settings("full", probes=("capture",))).on,
    }
    samples: dict[str, list[float]] = {f"{n}, {where}": [] for n in configurations for where in ("inside", "outside")}
    for number in range(rounds):
        say(f"system call path: round {number + 1} of {rounds}")
        for name, value in _round(configurations, inside, outside).items():
            samples[name].append(value)
    for loop in (inside, outside):
        loop.close()
    return {"samples": samples, "rows": _rows(configurations, samples) + _peers(stage, samples)}


def _round(configurations: dict[str, Any], inside: Loop, outside: Loop) -> dict[str, float]:
    """One value for each; again if somebody else's programs came to the path meanwhile."""
    for attempt in range(TRIES):
        alone()
        found = {}
        for name, on in configurations.items():
            with on():
                ours = hooked()
                found[f"{name}, inside"] = inside.nanoseconds()
                found[f"{name}, outside"] = outside.nanoseconds()
                quiet = hooked() == ours <= 2 + NEIGHBOURS.staying
            if not quiet and attempt < TRIES - 1:
                break
        else:
            return found
    return found


def _rows(configurations: dict[str, Any], samples: dict[str, list[float]]) -> list[dict[str, Any]]:
    rows = []
    for name in list(configurations)[1:]:
        for where in ("inside", "outside"):
            what, off = f"{name}, {where}", f"off, {where}"
            rows.append(
                {
                    "what": what,
                    "ns": added(samples, what, off).plain(),
                    "ratio": ratio(samples, what, off, f"{FLOOR}, {where}", off).plain(),
                }
            )
    return rows


def _peers(stage: Stage, samples: dict[str, list[float]]) -> list[dict[str, Any]]:
    """What is installed of other tools, each around a loop of its own."""
    if not shutil.which("strace"):
        return []
    loop = Loop(stage, stage.cgroup("loop"), before=("strace", "-f", "-c", "-o", "/dev/null"))
    found = [loop.nanoseconds(STRACE_CALLS, RUNS) for _ in samples["off, inside"]]
    loop.close()
    both = samples | {"strace -f -c, inside": found}
    what = "strace -f -c, inside", "off, inside"
    row = {"what": what[0], "ns": added(both, *what).plain()}
    row["ratio"] = ratio(both, *what, f"{FLOOR}, inside", "off, inside").plain()
    return [row]
