"""CPU per operation of redis, nginx and a storm of fork and exec inside the scope, with probes and without.

In a round each configuration has its turn, in every second one the other way round. CPU is what the workload's cgroup
used, user and kernel; packets and their programs run in it. The daemon runs all the time; what it takes has rows of its own.
An empty tracepoint is in the rounds because no observer of system calls is cheaper.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.daemon import Daemon
from bench.stage import Empty, Nothing, Probes, Stage, alone, cpu_of
from bench.statistic import median, percent

REDIS_CALLS, NGINX_CALLS, STORMS = 60_000, 15_000, 400
PACKAGES = {"redis-benchmark": "redis-server", "nginx": "nginx-light", "ab": "apache2-utils"}
PAGE = b"x" * 1024
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ root {folder}/www; }} }} }}
"""


def install() -> None:
    """Brings what the benchmark needs, as root on Debian; what stays missing leaves a row out."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        # Servers must not be started by their packages: port 80 and 6379 are not ours.
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "-qq", "update"], env=environment, capture_output=True)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, env=environment, capture_output=True)


def measure(stage: Stage, pairs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Every workload in pairs."""
    install()
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
                skipped.append(f"{name}: {' or '.join(needed)} is not installed")
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


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _listening(port: int) -> None:
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


@contextmanager
def _server(stage: Stage, name: str, port: int, *argv: object) -> Iterator[None]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = stage.work(stage.cgroup(name), "run", *argv, **quiet)
    try:
        _listening(port)
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _redis(stage: Stage) -> Iterator[Callable[[], int]]:
    port = _free_port()
    server = (
        "redis-server",
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        stage.folder,
    )
    with _server(stage, "redis", port, *server):
        client = ("redis-benchmark", "-p", port, "-t", "set,get", "-c", 10, "-n", REDIS_CALLS // 2, "-q")
        yield lambda: _client(stage, "redis-client", REDIS_CALLS, *client)


@contextmanager
def _nginx(stage: Stage) -> Iterator[Callable[[], int]]:
    port, www = _free_port(), stage.folder / "www"
    www.mkdir(exist_ok=True)
    for path in (stage.folder, www):
        path.chmod(0o755)  # nginx's worker is another user
    (www / "page").write_bytes(PAGE)
    config: Path = stage.folder / "nginx.conf"
    config.write_text(NGINX.format(folder=stage.folder, port=port))
    with _server(stage, "nginx", port, "nginx", "-c", config):
        client = ("ab", "-q", "-n", NGINX_CALLS, "-c", 10, f"http://127.0.0.1:{port}/page")
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
