"""`make containers`: pods of a real containerd, observed by driftline; one row for each claim, written to docs/containers.md.

python -m tests.containers [--pods 200] [--at-once 16] [--json] [--page FILE]
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from grpc import RpcError

from tests.containers import cluster, report, rollout, run
from tests.containers.claims import Row


def main() -> int:
    options = _options()
    if lacking := cluster.missing():
        print(f"Error: this machine lacks {lacking}\nHint: sudo make containers", file=sys.stderr)
        return 3
    begun = time.monotonic()

    def say(what: str) -> None:
        if not options.json:
            print(f"containers: {time.monotonic() - begun:5.1f} s  {what}", flush=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended by those who started it
    try:
        rows = [*run.acted(run.scenes(options.pods, options.at_once), say), *_rollout(say)]
    except (RuntimeError, OSError, subprocess.CalledProcessError, RpcError) as e:
        print(f"Error: {type(e).__name__}: {e}\nHint: nothing of it is left; try again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    seconds = time.monotonic() - begun
    if options.page:
        options.page.write_text(report.page(rows))
    print(json.dumps(report.answer(rows, seconds), indent=1) if options.json else report.table(rows))
    say(f"{len(rows)} claims, {sum(not r.holds for r in rows)} red")
    return 0 if all(r.holds for r in rows) else 1


def _rollout(say: Callable[[str], None]) -> list[Row]:
    say(rollout.CLAIMS["declared"])
    with tempfile.TemporaryDirectory(prefix="driftline-pods-") as folder, cluster.started(Path(folder)) as made:
        return rollout.rows(made)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.containers", description="Observe pods of a real containerd."
    )
    parser.add_argument("--pods", type=int, default=200, help="how many pods live two seconds")
    parser.add_argument("--at-once", type=int, default=16, help="how many of them live at a time")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument("--page", type=Path, help="where the table is written")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
