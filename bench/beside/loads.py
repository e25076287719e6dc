"""Six loads of known size. Each stands twice: in a cgroup that tools watch, and in one that they are not asked about.

What is watched is a server with its children or a process that works by itself; clients of servers stand outside. A load has one
system call that it makes exactly once an operation, by which a tool's count is judged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import servers
from bench.beside.tools import Target
from bench.stage import LOADS, Stage

SCRIPT = LOADS / "http_loop.py"
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclass(frozen=True, slots=True)
class Kind:
    """One load, before it stands anywhere."""

    name: str
    witness: str  # the call that is made once an operation
    pilot: int  # operations from which a run's length is told
    place: Callable[[ExitStack, Stage, str, bool], tuple[tuple[int, ...], Callable[[int], float]]]
    needs: tuple[str, ...] = ()
    children: bool = False  # the calls are made by children of the process


@dataclass(frozen=True, slots=True)
class Load:
    """One that stands."""

    kind: Kind
    target: Target
    run: Callable[[int], float]  # operations → ns each


@contextmanager
def standing(kind: Kind, stage: Stage, *, watched: bool):
    with ExitStack() as stack:
        pids, run = kind.place(stack, stage, _word(kind), watched)
        yield Load(kind, Target(stage.cgroup(_word(kind), inside=watched), pids, kind.children), run)


def _word(kind: Kind) -> str:
    return "beside-" + "".join(c for c in kind.name.lower() if c.isalpha())


class _Worker:
    """A process that works when it is told to: `loop`, or the script that asks over HTTP."""

    def __init__(self, stage: Stage, cgroup: Path, *argv: object) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = stage.work(cgroup, "run", *argv, **pipes)  # begun in its cgroup, as a container's processes are
        self.pid = self._process.pid

    def run(self, operations: int) -> float:
        self._process.stdin.write(f"{operations} 1\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"a load ended with {self._process.wait()}")
        return float(said)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _worker(
    stack: ExitStack, stage: Stage, cgroup: Path, *argv: object
) -> tuple[tuple[int, ...], Callable[[int], float]]:
    worker = _Worker(stage, cgroup, *argv)
    stack.callback(worker.close)
    worker.run(1)  # it is ready when it answers
    return (worker.pid,), worker.run


def _loop(what: str) -> Callable[..., Any]:
    def place(stack: ExitStack, stage: Stage, word: str, watched: bool):
        file = stage.folder / "opened"
        file.touch()
        cpu = max(os.sched_getaffinity(0))
        cgroup = stage.cgroup(word, inside=watched)
        return _worker(stack, stage, cgroup, stage.folder / "loop", cgroup, cpu, what, file)

    return place


def _http(stack: ExitStack, stage: Stage, word: str, watched: bool):
    other = stage.cgroup(word + "-server", inside=False)
    server = subprocess.Popen([sys.executable, SCRIPT, other, "serve"], stdout=subprocess.PIPE, text=True)
    stack.callback(server.wait)
    stack.callback(server.kill)
    port = int(server.stdout.readline())
    cgroup = stage.cgroup(word, inside=watched)
    return _worker(stack, stage, cgroup, sys.executable, SCRIPT, cgroup, port)


def _redis(stack: ExitStack, stage: Stage, word: str, watched: bool):
    server = stack.enter_context(servers.redis(stage, stage.cgroup(word, inside=watched)))
    client = stage.cgroup(word + "-client", inside=False)
    return _pids(server), lambda n: _timed(stage, client, n, *servers.redis_client(server.port, n))


def _nginx(stack: ExitStack, stage: Stage, word: str, watched: bool):
    server = stack.enter_context(servers.nginx(stage, stage.cgroup(word, inside=watched)))
    client = stage.cgroup(word + "-client", inside=False)

    def run(operations: int) -> float:
        return _timed(stage, client, operations, *servers.nginx_client(server.port, operations))

    run(10)  # it listens before it has the worker that answers
    return _pids(server), run


def _pids(server: servers.Server) -> tuple[int, ...]:
    """All of it, the last one the one that serves."""
    return tuple(sorted(int(x) for x in (server.cgroup / "cgroup.procs").read_text().split()))


def _timed(stage: Stage, cgroup: Path, operations: int, *argv: object) -> float:
    begun = time.perf_counter_ns()
    if stage.work(cgroup, "run", *argv, **QUIET).wait():
        raise RuntimeError(f"{argv[0]} failed")
    return (time.perf_counter_ns() - begun) / operations


KINDS = (
    Kind("getppid", "getppid", 3_000, _loop("call")),
    Kind("open and close", "openat", 1_200, _loop("file")),
    Kind("redis SET", "write", 600, _redis, ("redis-server", "redis-benchmark")),
    Kind("nginx", "writev", 300, _nginx, ("nginx", "ab")),
    Kind("Python HTTP", "connect", 60, _http),
    Kind("fork and exec", "execve", 30, _loop("storm"), (), True),
)
