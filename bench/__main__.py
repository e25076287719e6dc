"""`python -m bench`: everything that is measured, as tables, as JSON, and as docs/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from bench import label, replay, windows

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
RESULTS = HERE / "results"
READING = [
    "## How to read it",
    "",
    "- The system call path is what every process of the machine pays. `all` adds the probe of files, a second raw tracepoint, on",
    "  the way out of every call; without it (`sensor.probes` in the configuration) only the row `syscalls` is paid.",
    "- CPU per operation: the aim is 3 % for redis and nginx and 1.5 % for fork and exec; where the table says more, it is",
    "  missed. An empty tracepoint is what any observer of system calls pays on the same machine before it does anything.",
    "- A daemon's CPU that does not grow with the rate of system calls is the point of keeping state in the kernel.",
    "- Where the machine was not idle while this ran, the tail of the time to Python and the widths of the intervals show it.",
]
TITLES = {
    "overhead": "System calls: ns added to a getppid, and as a multiple of an empty raw tracepoint",
    "operations": "CPU per operation inside the scope, with the sensor against without",
    "residence": "The daemon, and full captures",
    "applayer": "Listening to an agent: calls of 1 MB of prompt and 200 events",
    "replay": "Reading captures",
    "windows": "Thirty days",
    "label": "The label",
}


def say(text: str) -> None:
    """Progress, for people only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measured(sections: list[str], rounds: int, pairs: int, deployments: int) -> dict[str, Any]:
    """Rows by section. Sections that load probes need root and make their own cgroup."""
    found: dict[str, Any] = {}
    if {"overhead", "operations", "residence", "applayer"} & set(sections) and os.geteuid() == 0:
        from bench import applayer, operations, overhead, residence
        from bench.stage import Stage

        stage = Stage()
        try:
            if "overhead" in sections:
                found["overhead"] = overhead.measure(stage, rounds, say)
            if "operations" in sections:
                found["operations"] = operations.measure(stage, pairs, say)
            if "residence" in sections:
                found["residence"] = residence.measure(stage, say)
            if "applayer" in sections:
                found["applayer"] = applayer.measure(stage, say)
        finally:
            stage.clear()
    if "replay" in sections and replay.SOURCE.exists():
        say("reading captures")
        found["replay"] = {"rows": replay.measure(4_000_000, 5)}
    if "windows" in sections:
        found["windows"] = windows.measure(say)
    if "label" in sections:
        found["label"] = label.measure(say, deployments)
    return found


def table(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """A section as lines of Markdown, which are a table for people as well."""
    if name == "replay":
        head = ["reader", "million events/s", "lowest to highest", "bytes an event"]
        body = [
            [
                r["reader"],
                f"{r['million_events_per_second']:.1f}",
                f"{r['lowest']:.1f} to {r['highest']:.1f}",
                f"{r['bytes_per_event']:.1f}",
            ]
            for r in rows
        ]
    elif name == "overhead":
        head = ["configuration", "ns added", "x empty tracepoint"]
        body = [[r["what"], _span(r["ns"], 1), _span(r["ratio"], 2)] for r in rows]
    elif name == "operations":
        head = ["workload", "us an operation without", "% more with", "pairs"]
        body = [[r["what"], str(r["microseconds"]), _span(r["percent"], 2), str(r["pairs"])] for r in rows]
    else:
        head = ["what", "measured", "unit", "asked"]
        body = [[r["what"], f"{r['value']:g}", r["unit"], r["asked"]] for r in rows]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in [head, *body]]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]


def _span(estimate: dict[str, float], digits: int) -> str:
    return f"{estimate['value']:.{digits}f} [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"


def page(results: dict[str, Any]) -> str:
    """All sections, with the machine and the command that made them."""
    machine = results["machine"]
    lines = [
        "# What it costs",
        "",
        f"Made by `{machine['command']}` on {machine['cpus']} virtual CPUs, Linux {machine['kernel']}.",
        "Values in brackets are 95 % bootstrap intervals over whole rounds, in which the configurations alternate. System calls",
        f"of this machine are slow, so read ratios. Raw samples: `bench/results/{machine['name']}.json`.",
    ]
    for name, title in TITLES.items():
        if name in results:
            lines += ["", f"## {title}", "", *table(name, results[name]["rows"])]
            lines += [f"\nSkipped: {why}" for why in results[name].get("skipped", ())]
    return "\n".join([*lines, "", *READING]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure what driftline costs on this machine."
    )
    parser.add_argument(
        "--only", action="append", choices=list(TITLES), help="one section; may be given more than once"
    )
    parser.add_argument("--rounds", type=int, default=12, help="rounds of the system call path")
    parser.add_argument("--pairs", type=int, default=9, help="pairs of redis, nginx and fork/exec; --full takes 25")
    parser.add_argument("--full", action="store_true", help="25 pairs, 40 rounds, 64 simulated deployments")
    parser.add_argument("--json", action="store_true", help="print the results with their raw samples")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    rounds, pairs = (40, 25) if options.full else (options.rounds, options.pairs)
    results = _kept() if options.write_docs and options.only else {}
    results |= measured(options.only or list(TITLES), rounds, pairs, 64 if options.full else 16)
    words = " ".join(["python -m bench", *sys.argv[1:]])
    before = results.get("machine", {}).get("command", "")
    results["machine"] = {
        "name": platform.machine(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "command": f"{before}` and `{words}" if before and words not in before else words,
    }
    say("")
    if os.geteuid() != 0:
        print("not root: what loads probes is left out", file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{platform.machine()}.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.write_docs:
        PAGE.write_text(page(results))
    print(json.dumps(results, indent=1) if options.json else page(results))
    return 0


def _kept() -> dict[str, Any]:
    """Results of an earlier run, of which one section is made anew."""
    path = RESULTS / f"{platform.machine()}.json"
    return json.loads(path.read_text()) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
