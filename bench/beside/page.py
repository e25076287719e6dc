"""The section of docs/performance.md: what each peer costs at each load, what it gives for that, what it saw and lost."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from bench.beside.figures import PEERS, Figure, duration, figures, loads, nanoseconds
from bench.beside.peers import FLOOR, OURS
from bench.beside.tools import REFUSED, TOOLS
from bench.statistic import Estimate

PICTURE = "side-by-side.svg"
CAPTION = (
    "Time of an operation with a tool, as a multiple of the time without, by load: what is watched, and its neighbour"
)
WHY = {
    "bcc syscount, fork and exec": (
        "With `-c` it reads the parent of a process at an offset of the kernel headers that bcc compiles with; where these are "
        "of another kernel than the one that runs, it finds no children."
    )
}
NOTES = (
    "Each cell is the median over rounds of time with / time without, wall clock, with its 95 % bootstrap interval; of a round",
    "the best of three pieces counts. *Inside*: the load is what the tool watches. *Outside*: the same load beside it, in a cgroup",
    "that the tool was not asked about, while it watches the idle other copy. Clients of redis and nginx and the server of the",
    "Python loop are never watched. All tools are narrowed in the kernel to what the run made. The time until a tool watches is",
    "in no cell.",
)


def section(results: dict[str, Any]) -> list[str]:
    """Lines of Markdown below the section's title."""
    found = {(f.load, f.peer): f for f in figures(results)}
    names = loads(results)
    return [
        *NOTES,
        "",
        f"![{CAPTION}]({PICTURE})",
        *_matrix("Inside, ×", results, names, found, lambda f: _span(f.inside)),
        *_matrix("Outside, ×", results, names, found, lambda f: _span(f.outside)),
        *_matrix("Calls seen of calls made, lost as told", results, names, found, _seen, without=(FLOOR,)),
        *_matrix("CPU of its own processes, % of a core", results, names, found, _cpu, without=(FLOOR,)),
        "",
        *table(["tool", "narrowed by", "gives", "until it watches"], _gives(results)),
        *_remarks(results, found),
    ]


def _matrix(
    title: str,
    results: dict[str, Any],
    names: list[str],
    found: dict[tuple[str, str], Figure],
    cell: Callable[[Figure], str],
    *,
    without: tuple[str, ...] = (),
) -> list[str]:
    head = [title, *(f"{load} ({duration(nanoseconds(results, load))})" for load in names)]
    body = []
    for peer in (p for p in PEERS if p not in without):
        cells = [cell(found[load, peer]) if (load, peer) in found else "did not run" for load in names]
        body.append([peer, *cells])
    body += [[name, *["not run"] * len(names)] for name in REFUSED]
    return ["", *table(head, body)]


def _seen(f: Figure) -> str:
    share = "no count" if not f.made else f"{_share(f.seen, f.made)} %"
    return f"{share}, {'not told' if f.lost is None else f'{f.lost:,} lost'}"


def _share(seen: int, made: int) -> str:
    """Never 100 where one is missing."""
    if seen == made:
        return "100"
    return f"{min(99.99, 100 * seen / made):.2f}"


def _cpu(f: Figure) -> str:
    return "" if f.cpu is None else f"{100 * f.cpu:.1f}"


def _gives(results: dict[str, Any]) -> list[list[str]]:
    rows = [[name, "the scope, a cgroup and all below it", gives] for name, (_, gives) in OURS.items()]
    rows += [[tool.name, tool.narrowed, tool.gives] for tool in TOOLS]
    rows += [[name, why, "calls with their arguments"] for name, why in REFUSED.items()]
    return [[*row, _attach(results, row[0])] for row in rows]


def _attach(results: dict[str, Any], peer: str) -> str:
    if peer in OURS:
        return "runs all the time"
    took = results["attach"].get(peer)
    return f"{statistics.median(took):.1f} s" if took else ""


def _remarks(results: dict[str, Any], found: dict[tuple[str, str], Figure]) -> list[str]:
    lines = [f"- {name} did not run: `{why.replace('`', '')}`" for name, why in sorted(results["failed"].items())]
    for (load, peer), f in found.items():
        why = WHY.get(f"{peer}, {load}")
        if why and f.seen < f.made:
            lines.append(f"- {peer} at {load}: {why}")
    if results["others"]:
        lines.append(
            f"- Others had up to {results['others']} programs on the system call path meanwhile; all configurations pay them."
        )
    busy = sorted(results["busy"])
    if busy:
        lines.append(
            f"- Processes that wanted a CPU before the rounds: {statistics.median(busy):.1f} (median), {busy[-1]:.1f} at most."
        )
    return ["", *lines] if lines else []


def _span(e: Estimate) -> str:
    return f"{_figure(e.value)} [{_figure(e.low)}, {_figure(e.high)}]"


def _figure(value: float) -> str:
    """Three digits, no more than two after the point."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def table(head: list[str], body: list[list[str]]) -> list[str]:
    """Lines of Markdown, which are a table for people as well."""
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in [head, *body]]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]
