"""Results to docs/performance.md: a table for each section, its picture where it has one. Pure but for the soak's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.beside import page as beside
from bench.beside.page import table
from bench.sections import SECTIONS

SOAK_TITLE = "Soak: 50 workloads over hours"
READING = [
    "## How to read it",
    "",
    "- The system call path is what every process of the machine pays. `all` adds the probe of files, a second raw tracepoint, on",
    "  the way out of every call; without it (`sensor.probes` in the configuration) only the row `syscalls` is paid.",
    "- Side by side: what counts in the kernel costs what any observer pays, what hands each call to a process costs a wake-up or",
    "  two stops a call. A tracepoint is paid by every process of the machine, also where a tool narrows in the kernel what it",
    "  counts; strace alone costs a neighbour nothing. What a tool gives for its price is in the last table there.",
    "- CPU per operation: the aim is 3 % for redis and nginx and 1.5 % for fork and exec; where the table says more, it is",
    "  missed. An empty tracepoint is what any observer of system calls pays on the same machine before it does anything.",
    "- A daemon's CPU that does not grow with the rate of system calls is the point of keeping state in the kernel.",
    "- Where the machine was not idle while this ran, the tail of the time to Python and the widths of the intervals show it.",
]


def page(results: dict[str, Any], soak: dict[str, Any] | None = None) -> str:
    """All sections, with the machine and the command that made them."""
    machine = results["machine"]
    lines = [
        "# What it costs",
        "",
        f"Made by `{machine['command']}` on {machine['cpus']} virtual CPUs, Linux {machine['kernel']}.",
        "Values in brackets are 95 % bootstrap intervals over whole rounds, in which the configurations alternate. System calls",
        f"of this machine are slow, so read ratios. Raw samples: `bench/results/{machine['name']}.json`.",
    ]
    for name, section in SECTIONS.items():
        if name in results:
            lines += ["", f"## {section.title}", "", *_notes(results[name]), *body(name, results[name])]
            lines += [f"\nSkipped: {why}" for why in results[name].get("skipped", ())]
    if soak is not None:
        lines += ["", f"## {SOAK_TITLE}", "", *_soak(soak)]
    return "\n".join([*lines, "", *READING]) + "\n"


def _notes(results: dict[str, Any]) -> list[str]:
    return [*results["notes"], ""] if results.get("notes") else []


def body(name: str, results: dict[str, Any]) -> list[str]:
    """One section without its title."""
    if name == "beside":
        return beside.section(results)
    return table(*SHAPES.get(name, _plain)(results["rows"]))


Shape = tuple[list[str], list[list[str]]]  # head and rows


def _replay(rows: list[dict[str, Any]]) -> Shape:
    head = ["reader", "million events/s", "lowest to highest", "bytes an event"]
    return head, [
        [
            r["reader"],
            f"{r['million_events_per_second']:.1f}",
            f"{r['lowest']:.1f} to {r['highest']:.1f}",
            f"{r['bytes_per_event']:.1f}",
        ]
        for r in rows
    ]


def _overhead(rows: list[dict[str, Any]]) -> Shape:
    head = ["configuration", "ns added", "x empty tracepoint"]
    return head, [[r["what"], _span(r["ns"], 1), _span(r["ratio"], 2)] for r in rows]


def _operations(rows: list[dict[str, Any]]) -> Shape:
    head = ["workload", "us an operation without", "% more with", "pairs"]
    return head, [[r["what"], str(r["microseconds"]), _span(r["percent"], 2), str(r["pairs"])] for r in rows]


def _plain(rows: list[dict[str, Any]]) -> Shape:
    """`measured` is the value as text, where it has an interval."""
    head = ["what", "measured", "unit", "asked"]
    return head, [[r["what"], r.get("measured") or f"{r['value']:g}", r["unit"], r["asked"]] for r in rows]


SHAPES = {"replay": _replay, "overhead": _overhead, "operations": _operations}


def _span(estimate: dict[str, float], digits: int) -> str:
    return f"{estimate['value']:.{digits}f} [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"


def _soak(results: dict[str, Any]) -> list[str]:
    from bench.soak.page import rows

    return [
        "Made by `make soak`, which takes two hours and is no part of `make bench`.",
        "",
        *table(*_plain(rows(results))),
    ]


def kept(path: Path) -> dict[str, Any] | None:
    """Results of an earlier run, if there was one."""
    return json.loads(path.read_text()) if path.exists() else None
