"""`python -m tests.fuzz --minutes 1`: every decoder for a minute of CPU time, as many at once as there are cores.

Exit 0: no fault. 1: a crash, a hang, or memory. 2: wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from tests.fuzz import children, rounds
from tests.fuzz.rounds import Outcome
from tests.fuzz.table import BY_NAME, DECODERS


def main(words: list[str] | None = None) -> int:
    asked = _parser().parse_args(words)
    if asked.child:
        children.child(asked.child, seconds=asked.seconds, seed=asked.seed, progress=asked.progress)
        return 0
    names = asked.only or [row.name for row in DECODERS]
    if asked.round:
        return again(names, asked.seed, asked.round)
    found = []
    for outcome in children.outcomes(names, seconds=asked.minutes * 60, seed=asked.seed, jobs=asked.jobs):
        found.append(outcome)
        if not asked.json:
            print(line(outcome), flush=True)
    return told(found, asked.seed, as_json=asked.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Damaged input for every decoder.")
    parser.add_argument("--minutes", type=float, default=1.0, help="of CPU time for each decoder (1)")
    parser.add_argument(
        "--only", action="append", choices=BY_NAME, metavar="NAME", help="this decoder; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (1)")
    parser.add_argument("--round", type=int, default=0, help="only this round, in this process, with its trace")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="decoders at once (one a core)")
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    for name, kind in (("--child", str), ("--seconds", float), ("--progress", str)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    return parser


def again(names: list[str], seed: int, number: int) -> int:
    """One round of each; an exception comes through as it is."""
    for name in names:
        made = rounds.case(BY_NAME[name], BY_NAME[name].whole(), seed, number)
        print(f"{name}: {made!r:.2000}")
        try:
            BY_NAME[name].read(made)
        except BY_NAME[name].refusals as e:
            print(f"refused: {e}")
    return 0


def line(found: Outcome) -> str:
    """
    >>> line(Outcome("dns", 12, 0.5, 2048))
    'dns                     12 rounds   worst  0.500 s   +2.0 MiB   ok'
    """
    result = f"FAULT {found.fault}" if found.fault else "ok"
    return f"{found.name:16}{found.rounds:10d} rounds   worst {found.worst:6.3f} s   +{found.growth / 1024:.1f} MiB   {result}"


def told(found: list[Outcome], seed: int, *, as_json: bool) -> int:
    """The summary; 1 where anything failed."""
    faults = [o for o in found if o.fault]
    sums = {"decoders": len(found), "rounds": sum(o.rounds for o in found), "faults": len(faults), "seed": seed}
    if as_json:
        print(json.dumps(sums | {"outcomes": [asdict(o) for o in found]}))
    else:
        print(", ".join(f"{count} {what}" if what != "seed" else f"seed {count}" for what, count in sums.items()))
        for one in faults:
            print(f"FAULT {one.name}: {one.fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
