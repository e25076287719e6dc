"""`make faults`: makes every fault, and writes what was lost and who was told to docs/faults.md.

python -m tests.faults [--only NAME ...] [--json] [--page FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.catalogue import FAULTS, PEERS, Fault
from tests.faults.report import Case, Row, cases, page, plain, row

ROOT = Path(__file__).parents[2]
LANES = ("kernel", "not kernel")  # by the marker: what asks the kernel, and beside it what does not
SECONDS = 700  # the longest one test may take


def main() -> int:
    options = _options()
    if os.geteuid():
        print("Error: probes, mounts and cgroups need root\nHint: sudo make faults", file=sys.stderr)
        return 3
    begun = time.monotonic()
    chosen = [f for f in FAULTS if f.name in options.only]
    with tempfile.TemporaryDirectory(prefix="driftline-faults-") as folder:
        ran = _run(chosen, Path(folder))
    rows = [row(fault, ran) for fault in chosen]
    if options.page:
        options.page.write_text(page(rows, PEERS, _about()))
    if options.json:
        print(json.dumps(plain(rows), indent=1))
    return _verdict(rows, time.monotonic() - begun)


def _options() -> argparse.Namespace:
    names = [f.name for f in FAULTS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Make every fault, and say what is lost."
    )
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--json", action="store_true", help="the rows on standard output")
    parser.add_argument("--page", type=Path, help="where the tables are written")
    return parser.parse_args()


def _run(chosen: Sequence[Fault], folder: Path) -> list[Case]:
    tests = list(dict.fromkeys(test for fault in chosen for test in fault.tests))
    running = [_start(tests, lane, folder / lane.replace(" ", "-")) for lane in LANES]
    for process in running:
        process.wait()
    return [case for report in sorted(folder.glob("*.xml")) for case in cases(report)]


def _start(tests: Sequence[str], lane: str, place: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "pytest", *tests, "-m", lane, "--timeout", str(SECONDS), "--tb", "short", "-v"]
    report = [f"--junitxml={place}.xml", "-o", "junit_family=xunit1", f"--basetemp={place}"]
    environment = os.environ | {"DRIFTLINE_FAULTS": "whole", "DRIFTLINE_REQUIRE_KERNEL": "1"}
    return subprocess.Popen([*command, *report], cwd=ROOT, env=environment, stdout=sys.stderr)


def _about() -> str:
    return f"Linux {platform.release()}, {os.cpu_count()} processors."


def _verdict(rows: Sequence[Row], seconds: float) -> int:
    red = [r for r in rows if r.red]
    for r in red:
        print(f"faults: RED {r.name}: {'; '.join(r.red)}", file=sys.stderr)
    print(f"faults: {len(rows)} faults in {seconds:.0f} s, {len(red)} red", file=sys.stderr)
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
