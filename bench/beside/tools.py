"""The other tools: how each is started on what we made and nothing else, what it gives, how its answer is read.

Each is narrowed in the kernel; what cannot be is not run on a machine that others use, and stands in `REFUSED` with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.beside import parse
from sensor.probes import client

SYSCOUNT_ROWS = 1000
REFUSED = {
    "sysdig, live": "cannot be, so not run: its probes hand over the calls of every process, its filters apply in user space",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Processes that a tool is asked to watch. All of them live in one cgroup, and nobody else does."""

    cgroup: Path
    pids: tuple[int, ...]
    children: bool = False  # what counts is done by children of the process


@dataclass(frozen=True, slots=True)
class Tool:
    """One that is installed from a distribution."""

    name: str
    program: str
    package: str
    narrowed: str
    gives: str
    argv: Callable[[Target], list[str]]
    counts: Callable[[str], Counter[str]]
    lost: Callable[[str], int | None]  # None: it keeps no such counter


def _strace(target: Target) -> list[str]:
    return ["-f", "-c", *(word for pid in target.pids for word in ("-p", str(pid)))]


def _perf(target: Target) -> list[str]:
    return ["trace", "-s", "-a", "-G", "/" + str(target.cgroup.relative_to(client.cgroup_root()))]


def _bpftrace(target: Target) -> list[str]:
    predicate = f'/cgroup == cgroupid("{target.cgroup}")/'
    return ["-e", f"tracepoint:raw_syscalls:sys_enter {predicate} {{ @[args->id] = count(); }}"]


def _syscount(target: Target) -> list[str]:
    return ["-T", str(SYSCOUNT_ROWS), "-c" if target.children else "-p", str(target.pids[-1])]


TOOLS = (
    Tool(
        "bpftrace",
        "bpftrace",
        "bpftrace",
        "a predicate on the cgroup id",
        "calls by name",
        _bpftrace,
        parse.bpftrace,
        parse.bpftrace_lost,
    ),
    Tool(
        "bcc syscount",
        "syscount-bpfcc",
        "bpfcc-tools",
        "-p: one process, or -c: the children of one",
        "calls by name, of one process",
        _syscount,
        parse.syscount,
        parse.not_told,
    ),
    Tool(
        "perf trace -s",
        "perf",
        "linux-perf",
        "-G: events of one cgroup",
        "calls, errors and times by name and thread",
        _perf,
        parse.perf,
        parse.perf_lost,
    ),
    Tool(
        "strace -f -c",
        "strace",
        "strace",
        "-f -p: ptrace of these processes and their children",
        "calls, errors and times by name",
        _strace,
        parse.strace,
        parse.nothing_lost,
    ),
)
