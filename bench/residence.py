"""What the daemon takes: memory, CPU against the rate of system calls, time from a new behaviour to Python; full captures."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.daemon import Daemon
from bench.stage import Stage
from sensor.agent import Agent
from wire.records import Event, Record

WORKLOADS = 200
RATES = (0, 20_000, 100_000, 400_000)  # system calls a second of all workloads together
SECONDS = 20.0  # of each rate: two windows
OPENS = 400
ROOT = Path(__file__).resolve().parents[1]


class Arrivals:
    """A sink that notes when an event came."""

    idle = True
    waiting = 0

    def __init__(self) -> None:
        self.delays: list[float] = []  # seconds
        self.clock: Callable[[], float] = time.monotonic

    def send(self, record: Record) -> None:
        if isinstance(record, Event) and record.kind == "open":
            self.delays.append(self.clock() - record.time)

    def pump(self, timeout: float = 0.0) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing to close."""


def measure(stage: Stage, say: Callable[[str], None]) -> dict[str, Any]:
    """Rows of name, value and unit."""
    return {"rows": [*_daemon(stage, say), *_latency(stage, say), *_capture(stage, say)]}


def _row(what: str, value: float, unit: str, asked: str = "") -> dict[str, Any]:
    return {"what": what, "value": round(value, 3), "unit": unit, "asked": asked}


def _daemon(stage: Stage, say: Callable[[str], None]) -> list[dict[str, Any]]:
    daemon = Daemon(stage, stage.settings("residence"))
    rows = []
    try:
        for rate in RATES:
            say(f"sensor daemon: {WORKLOADS} workloads, {rate:,} system calls a second")
            loads = [
                stage.work(stage.cgroup(f"w{i}"), "rate", rate // WORKLOADS) for i in range(WORKLOADS if rate else 0)
            ]
            time.sleep(3)  # what is new is new once
            share = daemon.share(SECONDS)
            for load in loads:
                load.kill()
            for load in loads:
                load.wait()
            asked = "< 1" if rate == 100_000 else ""
            rows.append(
                _row(
                    f"CPU of the sensor at {rate:,} calls a second, {WORKLOADS} workloads", share, "% of a core", asked
                )
            )
        for name, megabytes in daemon.memory().items():
            rows.append(
                _row(f"memory of the sensor, {name}", megabytes, "MiB", "<= 50 MB" if name == "resident" else "")
            )
    finally:
        daemon.close()
    return rows


def _latency(stage: Stage, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Files that nobody opened before, from the kernel's stamp to the sink."""
    say("time from a new behaviour to Python")
    sink = Arrivals()
    agent = Agent(stage.settings("latency"), sink)
    sink.clock = lambda: agent.to_time(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    thread = threading.Thread(target=agent.loop)
    thread.start()
    for i in range(OPENS):  # a replica shows a behaviour once, so each file has a name of its own
        (stage.folder / f"{_word(i)}.data").touch()
    names = [str(stage.folder / f"{_word(i)}.data") for i in range(OPENS)]
    script = f"import time\nfor name in {names!r}:\n open(name).close()\n time.sleep(.02)"
    place = stage.cgroup("latency")
    subprocess.run(
        ["/bin/sh", "-c", f'echo $$ > {place}/cgroup.procs; exec {sys.executable} -c "$0"', script], check=True
    )
    agent.stop()
    thread.join()
    agent.close()
    delays = np.array(sink.delays[-OPENS:]) * 1e3
    return [
        _row("a new behaviour reaches Python, median", float(np.percentile(delays, 50)), "ms"),
        _row("a new behaviour reaches Python, 99 of 100", float(np.percentile(delays, 99)), "ms", "<= 1"),
    ]


def _word(number: int) -> str:
    """A name without a variable part: digits would become a `*`."""
    return "".join(chr(97 + int(d)) for d in f"{number:04d}")


def _capture(stage: Stage, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """A loop of system calls at full speed for each CPU, into a full capture."""
    say("full capture")
    from wire import columns

    output = stage.folder / "full.columns"
    scope = stage.cgroup("full")
    command = [
        sys.executable,
        "-m",
        "console.cli.main",
        "trace",
        "record",
        "--full",
        "--scope",
        str(scope),
        "-o",
        str(output),
    ]
    recorder = subprocess.Popen(
        [*command, "--duration", "14"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    time.sleep(4)
    before, begun = _cpu(recorder.pid), time.monotonic()
    loads = [stage.work(scope, "calls", 10_000_000) for _ in range(os.cpu_count() or 2)]
    for load in loads:
        load.wait()
    seconds = time.monotonic() - begun
    used = _cpu(recorder.pid) - before
    _, said = recorder.communicate(timeout=60)
    if recorder.returncode:
        return [_row(f"full capture: failed, {said.decode()[-200:]}", float("nan"), "")]
    counted = columns.counts(output)
    made = 10_000_000 * len(loads)
    rows = int(counted.sum())
    return [
        _row("full capture: system calls made", made / seconds / 1e6, "million a second", "5"),
        _row("full capture: calls that are not in it", max(0, made - rows), "calls", "0"),
        _row("full capture: CPU of the recorder", 100 * used / seconds, "% of a core", "< 15"),
        _row("full capture: bytes an event", output.stat().st_size / rows, "bytes", "<= 15"),
    ]


def _cpu(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e9
