"""`python -m bench.soak`: two hours with 50 workloads, as root; a table, `--json`, and exit 1 if something is wrong."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.soak import page
from bench.soak.run import Soak

OUTPUT = Path(__file__).resolve().parents[1] / "results/soak.json"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description="Watch memory and counters over a long run."
    )
    parser.add_argument("--minutes", type=float, default=120, help="how long the loads run")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="where the result goes, every ten minutes and at the end"
    )
    parser.add_argument("--folder", type=Path, help="keep logs, trace and state here; else they go with the run")
    parser.add_argument("--json", action="store_true", help="print the whole result")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("Error: the soak loads probes and makes cgroups\nHint: run it as root", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="driftline-soak-") as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the classifier runs as nobody in particular
        results = Soak(folder.resolve(), options.minutes, options.output, say).run()
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        for row in page.rows(results):
            print(f"{row['what']:<70} {row['measured']:>40} {row['unit']}")
    for line in results["wrong"]:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if results["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
