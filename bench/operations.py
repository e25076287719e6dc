"""CPU per operation of redis, nginx and a storm of fork and exec inside the scope, with probes and without.

In a round each configuration has its turn, in every second one the other way round. CPU is what the workload's cgroup
used, user and kernel; packets and their programs run in it. The daemon runs all the time; what it takes has rows of its own.
An empty tracepoint is in the rounds because no observer of system calls is cheaper.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench import servers
from bench.daemon import Daemon
from bench.stage import Empty, Nothing, Probes, Stage, alone, cpu_of
from bench.statistic import median, percent

REDIS_CALLS, NGINX_CALLS, STORMS = 60_000, 15_000, 400


def measure(stage: Stage, pairs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Every workload in pairs."""
    settings = stage.settings("operations")
    configurations = {
        "without": Nothing(),
        "empty tracepoint": Empty(),
        "syscalls": Probes(stage.settings("operations-calls", probes=("syscalls",))),
        "all": Probes(settings),
    }
    daemon = Daemon(stage, settings)
    samples: dict[str, list[float]] = {}
    skipped = []
    try:
        for name, load in (("redis", _redis), ("nginx", _nginx), ("fork and exec", _storm)):
            needed = {"redis": ("redis-benchmark", "redis-server"), "nginx": ("nginx", "ab")}.get(name, ())
            if all(shutil.which(program) for program in needed):
                with load(stage) as once:
                    _rounds(name, stage, configurations, once, pairs, samples, say)
            else:
                skipped.append(f"{name}: {' or '.join(needed)} is not installed; as root, make packages-bench")
    finally:
        daemon.close()
    return {"samples": samples, "rows": _rows(samples), "skipped": skipped}


def _rounds(
    name: str,
    stage: Stage,
    configurations: dict[str, Any],
    once: Callable[[], int],
    rounds: int,
    samples: dict[str, list[float]],
    say: Callable[[str], None],
) -> None:
    for what in configurations.values():
        with what.on():
            once()  # what is new is new once
    for number in range(rounds):
        say(f"{name}: round {number + 1} of {rounds}")
        order = list(configurations.items())
        for configuration, what in order if number % 2 else reversed(order):
            alone()
            with what.on():
                before = cpu_of(stage.scope)
                operations = once()
                each = (cpu_of(stage.scope) - before) / operations
            samples.setdefault(f"{name}, {configuration}", []).append(each)


def _rows(samples: dict[str, list[float]]) -> list[dict[str, Any]]:
    return [
        {
            "what": what,
            "microseconds": round(float(median(samples[_without(what)])), 2),
            "percent": percent(samples, what, _without(what)).plain(),
            "pairs": len(samples[what]),
        }
        for what in samples
        if what != _without(what)
    ]


def _without(what: str) -> str:
    return what.rpartition(",")[0] + ", without"


@contextmanager
def _redis(stage: Stage) -> Iterator[Callable[[], int]]:
    with servers.redis(stage, stage.cgroup("redis")) as server:
        client = servers.redis_client(server.port, REDIS_CALLS // 2, "set,get")
        yield lambda: _client(stage, "redis-client", REDIS_CALLS, *client)


@contextmanager
def _nginx(stage: Stage) -> Iterator[Callable[[], int]]:
    with servers.nginx(stage, stage.cgroup("nginx")) as server:
        client = servers.nginx_client(server.port, NGINX_CALLS)
        yield lambda: _client(stage, "nginx-client", NGINX_CALLS, *client)


@contextmanager
def _storm(stage: Stage) -> Iterator[Callable[[], int]]:
    def once() -> int:
        stage.work(stage.cgroup("storm"), "storm", STORMS).wait()
        return STORMS

    yield once


def _client(stage: Stage, name: str, operations: int, *argv: object) -> int:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if stage.work(stage.cgroup(name), "run", *argv, **quiet).wait():
        raise RuntimeError(f"{argv[0]} failed")
    return operations
