"""What other tools print to calls by name, and to what they say that they lost. Text that is not theirs gives nothing."""

from __future__ import annotations

import platform
import re
from collections import Counter

from wire import syscalls

ARCH = platform.machine()
PERF = re.compile(r"^ {2,}([a-z_0-9]+) +(\d+) +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+%$")
PERF_LOST = re.compile(r"LOST (\d+) events")
STRACE = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?([a-z_0-9]+)$")
BPFTRACE = re.compile(r"^@\[(\d+)\]: (\d+)$")
BPFTRACE_LOST = re.compile(r"Lost (\d+) events")
SYSCOUNT = re.compile(r"^([a-z_0-9]+) +(\d+)$")


def strace(text: str) -> Counter[str]:
    """The table of `strace -c`.

    >>> strace(" 99.95    0.167699          16     10000        12 openat")
    Counter({'openat': 10000})
    """
    return Counter({name: int(calls) for calls, name in _rows(STRACE, text) if name != "total"})


def perf(text: str) -> Counter[str]:
    """The tables of `perf trace -s`, one for each thread.

    >>> perf("   getppid    20   0   2.7  0.012  0.015  0.101  0.18%")
    Counter({'getppid': 20})
    """
    found: Counter[str] = Counter()
    for name, calls in _rows(PERF, text):
        found[name] += int(calls)
    return found


def bpftrace(text: str) -> Counter[str]:
    """Counts by number.

    >>> bpftrace("@[110]: 7")["getppid"] if ARCH == "x86_64" else 7
    7
    """
    return Counter({syscalls.name(int(number), ARCH): int(calls) for number, calls in _rows(BPFTRACE, text)})


def syscount(text: str) -> Counter[str]:
    """The table of `syscount`.

    >>> syscount("SYSCALL                   COUNT\\ngetppid                      99")
    Counter({'getppid': 99})
    """
    return Counter({name: int(calls) for name, calls in _rows(SYSCOUNT, text)})


def nothing_lost(text: str) -> int:
    """Of a tool that stops the process at each call."""
    return 0


def not_told(text: str) -> None:
    """Of a tool that has no counter."""


def perf_lost(text: str) -> int:
    return sum(int(n) for n in PERF_LOST.findall(text))


def bpftrace_lost(text: str) -> int:
    return sum(int(n) for n in BPFTRACE_LOST.findall(text))


def reason(text: str) -> str:
    """The line that tells why a tool did not run: the last that names an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [x for x in lines if re.search(r"error|fail|cannot|denied|exception|not supported", x, re.I)]
    return (named or lines or ["it said nothing"])[-1][:200]


def _rows(pattern: re.Pattern[str], text: str) -> list[tuple[str, ...]]:
    return [match.groups() for line in text.splitlines() if (match := pattern.match(line.rstrip()))]
