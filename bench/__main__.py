"""`python -m bench`: everything that is measured, as tables, as JSON, and as docs/performance.md with its picture."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from bench.beside import page as beside
from bench.page import kept, page
from bench.sections import FULL, QUICK, SECTIONS, USUAL, Sizes
from bench.stage import Stage

log = logging.getLogger("bench")
HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
RESULTS = HERE / "results"


class Progress:
    """For people only: on a terminal one line that changes, else one line a section."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self._live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def line(self, text: str) -> None:
        print(f"\r\033[K{text}" if self._live else text, file=sys.stderr, flush=True)


def plan(names: list[str], sizes: Sizes) -> str:
    """What will be measured, and about how long it takes on an idle machine of this kind."""
    parts = [(name, SECTIONS[name].seconds(sizes) / 60) for name in names]
    each = ", ".join(f"{name} {minutes:.1f}" for name, minutes in parts)
    return f"about {sum(m for _, m in parts):.0f} minutes: {each}"


def measured(names: list[str], sizes: Sizes, progress: Progress, keep) -> list[str]:
    """Gives each section's results to `keep` as soon as it has them. Returns what went wrong."""
    wrong: list[str] = []
    stage = Stage() if any(SECTIONS[name].root for name in names) else None
    try:
        for name in names:
            begun = time.monotonic()
            try:
                found = SECTIONS[name].measure(stage, sizes, progress.say)
            except Exception as e:  # one section that fails must not cost the others
                log.exception("section %s failed", name)
                wrong.append(f"{name}: {e}")
                continue
            keep(name, found | {"took": round(time.monotonic() - begun, 1)})  # seconds
            progress.line(f"{name}: {(time.monotonic() - begun) / 60:.1f} min")
    finally:
        if stage is not None:
            stage.clear()
    return wrong


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure what driftline costs on this machine."
    )
    parser.add_argument(
        "--only", action="append", choices=list(SECTIONS), help="one section; may be given more than once"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="few rounds: wide intervals in two thirds of the time")
    size.add_argument("--full", action="store_true", help="40 rounds, 25 pairs, 15 turns, 64 simulated deployments")
    parser.add_argument("--rounds", type=int, help=f"rounds of the system call path; {USUAL.rounds} unless said")
    parser.add_argument("--pairs", type=int, help=f"pairs of redis, nginx and fork/exec; {USUAL.pairs} unless said")
    parser.add_argument("--turns", type=int, help=f"turns of each tool side by side; {USUAL.turns} unless said")
    parser.add_argument("--json", action="store_true", help="print the results with their raw samples")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md and its picture")
    parser.add_argument("--render", action="store_true", help="measure nothing; the page again from the raw samples")
    return parser.parse_args(arguments)


def sizes_of(options: argparse.Namespace) -> Sizes:
    base = FULL if options.full else QUICK if options.quick else USUAL
    return Sizes(
        options.rounds or base.rounds,
        options.pairs or base.pairs,
        options.turns or base.turns,
        base.deployments,
        base.runs,
        base.halves,
    )


def main() -> int:
    options, progress = options_of(), Progress()
    path = RESULTS / f"{platform.machine()}.json"
    everything = not (options.only or options.render)
    results = {} if everything else kept(path) or {}
    names = [] if options.render else options.only or list(SECTIONS)
    if os.geteuid() != 0 and any(SECTIONS[name].root for name in names):
        print("not root: what loads probes is left out", file=sys.stderr)
        names = [name for name in names if not SECTIONS[name].root]
    if names:
        progress.line(plan(names, sizes_of(options)))
        results["machine"] = _machine(results)

    def keep(name: str, found: dict[str, Any]) -> None:
        results[name] = found
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n")

    wrong = measured(names, sizes_of(options), progress, keep)
    if "machine" not in results:
        print(f"Error: {path} is not there\nHint: measure first: python -m bench --quick", file=sys.stderr)
        return 1
    text = page(results, kept(RESULTS / "soak.json"))
    if options.write_docs:
        _write(text, results)
    print(json.dumps(results, indent=1) if options.json else text, end="\n" if options.json else "")
    for one in wrong:
        print(f"Error: {one}", file=sys.stderr)
    return 1 if wrong else 0


def _machine(results: dict[str, Any]) -> dict[str, Any]:
    """Where this is measured, and by which commands."""
    words = " ".join(["python -m bench", *sys.argv[1:]])
    before = results.get("machine", {}).get("command", "")
    return {
        "name": platform.machine(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "command": f"{before}` and `{words}" if before and words not in before else before or words,
    }


def _write(text: str, results: dict[str, Any]) -> None:
    (DOCS / "performance.md").write_text(text)
    if "beside" in results:
        from bench.beside import chart

        (DOCS / beside.PICTURE).write_bytes(chart.draw(results["beside"]))


if __name__ == "__main__":
    sys.exit(main())
