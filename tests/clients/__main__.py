"""`make clients`: the clients that agents are made with, each in a container: whose calls are read, and who is said to be unread.

python -m tests.clients [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

from console.cli.output import emit_table
from sensor.probes import uprobes
from tests.clients import node, trial
from tests.clients.trial import NOT_TRIED, Row
from tests.clients.watch import WatchError
from tests.kernel import lab

COLUMNS = ("client", "rung", "library", "calls", "told, equal", "tool calls, equal", "why not higher")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description="Whose model calls are read.")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    as_json = parser.parse_args().json
    if why := lack():
        print(
            f'Error: {why} is missing here\nHint: run "make setup-test" as root, on a kernel with BPF', file=sys.stderr
        )
        return 3
    begun = time.monotonic()
    try:
        rows = trial.run(lambda line: None if as_json else print(f"clients: {line}", flush=True))
    except (node.NodeError, WatchError) as e:
        print(f"Error: {e}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        show(rows)
        print(
            f"{len(rows)} clients in {time.monotonic() - begun:.0f} s, {sum(bool(r.faults) for r in rows)} not as expected"
        )
    return 1 if any(row.faults for row in rows) or all(row.rung == NOT_TRIED for row in rows) else 0


def lack() -> str:
    """What this machine lacks; "" for nothing."""
    return node.missing() or lab.missing() or uprobes.missing()


def show(rows: list[Row]) -> None:
    """The table, and below it how loudly the uncovered one is told."""
    counts = [[n if row.rung != NOT_TRIED else None for n in (row.calls, row.told, row.tools)] for row in rows]
    emit_table(COLUMNS, ([r.words, r.rung, r.library, *n, r.reason] for r, n in zip(rows, counts, strict=True)))
    for row in rows:
        for place, said in row.loud.items():
            print(f"{row.client}: {place}: {said[:200]}")
        for fault in row.faults:
            print(f"clients: RED {row.client}: {fault}")


if __name__ == "__main__":
    sys.exit(main())
