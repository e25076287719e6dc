"""A published load against a published budget (D014): 1,000 file opens and 100 HTTP requests a second, with the sensor and without.

Files are opened and pages are served inside the scope; who asks stands outside. Both halves of a pair last equally long, in every
second pair the other way round; probes are attached and detached, the daemon runs all the time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from bench import servers
from bench.daemon import Daemon
from bench.stage import LOADS, Nothing, Probes, Stage, cpu_of
from bench.statistic import Estimate, added, percent

OPENS, REQUESTS, FILES = 1000, 100, 50  # a second; and names
SECONDS = 10.0  # of half a pair
SETTLE = 2.0  # what is new is new once
NOTE = "{pairs} pairs of {seconds:g} s with the sensor and {seconds:g} s without; an opener of files and nginx are in the scope."


def measure(stage: Stage, pairs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Rows with their samples."""
    if not shutil.which("nginx"):
        return {"rows": [], "skipped": ["nginx is not installed; as root, make packages-bench"]}
    settings = stage.settings("budget")
    probes = Probes(settings)
    daemon = Daemon(stage, settings)
    try:
        with ExitStack() as stack:
            with probes.on():
                ask = _loads(stack, stage)
                ask(SETTLE)
            samples = _pairs(stage, daemon, probes, ask, pairs, say)
        found = rows(samples, daemon.memory()["resident"], os.cpu_count() or 1)
        return {"samples": samples, "rows": found, "notes": [NOTE.format(pairs=pairs, seconds=SECONDS)]}
    finally:
        daemon.close()


def _loads(stack: ExitStack, stage: Stage) -> Callable[[float], list[float]]:
    """What asks for seconds of load, and gives the latencies; files are opened all the time."""
    folder = stage.folder / "files"
    folder.mkdir()
    for n in range(FILES):
        (folder / f"f{n}").touch()
    server = stack.enter_context(servers.nginx(stage, stage.cgroup("budget-nginx")))
    opener = stage.work(stage.cgroup("budget-files"), "files", OPENS, folder)
    command = (sys.executable, LOADS / "http_rate.py", server.port, REQUESTS)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    asker = stage.work(stage.cgroup("budget-asker", inside=False), "run", *command, **pipes)
    for process in (opener, asker):
        stack.callback(process.wait)
        stack.callback(process.kill)
    if asker.stdout.readline() != "ready\n":
        raise RuntimeError("the client of the published load did not begin")

    def ask(seconds: float) -> list[float]:
        asker.stdin.write(f"{seconds}\n")
        asker.stdin.flush()
        return json.loads(asker.stdout.readline())

    return ask


def _pairs(
    stage: Stage,
    daemon: Daemon,
    probes: Probes,
    ask: Callable[[float], list[float]],
    pairs: int,
    say: Callable[[str], None],
) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {}
    for number in range(pairs):
        say(f"published load: pair {number + 1} of {pairs}")
        order = [("on", probes), ("off", Nothing())]
        for name, what in order if number % 2 else order[::-1]:
            with what.on():
                before, begun, used = cpu_of(stage.scope), time.monotonic(), daemon.cpu()
                took = np.array(ask(SECONDS)) * 1e6
                length = time.monotonic() - begun
                values = {
                    "p50": float(np.percentile(took, 50)),  # microseconds
                    "p95": float(np.percentile(took, 95)),
                    "load": 100 * (cpu_of(stage.scope) - before) / 1e6 / length,  # percent of a core
                    "daemon": 100 * (daemon.cpu() - used) / length,
                }
            for what_of, value in values.items():
                samples.setdefault(f"{what_of}, {name}", []).append(round(value, 4))
    return samples


def rows(samples: dict[str, list[float]], resident: float, cpus: int) -> list[dict[str, Any]]:
    """As the page has them. CPU of the node: the daemon's, and what the load takes more; all CPUs are 100 %."""
    whole = {
        "on": [(a + b) / cpus for a, b in zip(samples["daemon, on"], samples["load, on"], strict=True)],
        "off": [b / cpus for b in samples["load, off"]],
    }
    daemon = added({"on": samples["daemon, on"], "off": [0.0] * len(samples["daemon, on"])}, "on", "off")
    return [
        _row("CPU of the daemon", daemon, "% of a core"),
        _row("CPU of the node, with against without", added(whole, "on", "off"), f"% of {cpus} CPUs", "<= 3"),
        _plain("memory of the daemon, resident", resident, "MiB", "<= 300"),
        _plain("latency of a request without, p50", float(np.median(samples["p50, off"])), "us"),
        _row("  more with, p50", percent(samples, "p50, on", "p50, off"), "%"),
        _plain("latency of a request without, p95", float(np.median(samples["p95, off"])), "us"),
        _row("  more with, p95", percent(samples, "p95, on", "p95, off"), "%", "<= 3"),
    ]


def _row(what: str, e: Estimate, unit: str, asked: str = "") -> dict[str, Any]:
    text = f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"
    return {"what": what, "value": round(e.value, 3), "measured": text, "unit": unit, "asked": asked}


def _plain(what: str, value: float, unit: str, asked: str = "") -> dict[str, Any]:
    return {"what": what, "value": round(value, 3), "measured": f"{value:.1f}", "unit": unit, "asked": asked}
