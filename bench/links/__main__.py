"""`python -m bench.links`: how well links hold and what they find, as tables and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.links.accuracy import SEEDS, accuracy, rows
from bench.links.detection import DEALS, alarms, by_suite, detection
from bench.links.runs import DATA, HIJACKED, runs, texts
from bench.links.sources import sources

RESULT = Path(__file__).parents[1] / "results" / "links.json"
PARTS = ("kind", "method")
TITLES = {
    "kinds": "Links, all scenarios together",
    "window": "The same links by process and a window of 500 ms, for comparison",
    "scenarios": "Links, by scenario",
    "methods": "Links, by what they rest on",
    "sources": "Acting calls by the worst source among their values",
    "detection": "Hijacked runs found, at a rate of false alarms that other tasks set",
    "suites": "Hijacked runs found at 5 %, by agent (whole results)",
}


def measured(seeds: int, deals: int, folder: Path) -> dict[str, Any]:
    """All tables."""
    start = perf_counter()
    links = accuracy(range(seeds))
    found: dict[str, Any] = {
        "kinds": rows(links.kinds, ("kind",)),
        "window": rows(links.window, ("kind",)),
        "scenarios": rows(links.scenarios, ("scenario", "kind")),
        "methods": [{k: v for k, v in r.items() if k not in ("links", "recall")} for r in rows(links.methods, PARTS)],
        "about": {"seeds": seeds, "events": links.events, "seconds": round(perf_counter() - start, 1)},
    }
    if not folder.is_dir():
        print(f"{folder} is not here: hijacked runs are not measured", file=sys.stderr)
        return found
    start, known = perf_counter(), runs(folder)
    if not {HIJACKED, "benign"} <= {r.label for r in known}:
        print(f"{folder}: no hijacked and benign runs in agentdojo_*.jsonl: not measured", file=sys.stderr)
        return found
    held, real = texts(), runs(folder, "tau_*.jsonl")
    found["sources"] = sources(folder, held)
    found["detection"] = detection(known, held, deals)
    found["suites"] = [{"agent": s, "recall": r} for s, r in by_suite(known, held, deals=deals).items()]
    found["about"] |= {
        "runs": {label: sum(r.label == label for r in known) for label in ("benign", "exposed", HIJACKED)},
        "results known": sum(key in held for r in known for _, _, key in r.calls) / sum(len(r.calls) for r in known),
        "alarms on real runs without attack, chains alone": alarms(real, deals) if real else None,
        "detection seconds": round(perf_counter() - start, 1),
    }
    return found


def table(found: list[dict[str, Any]]) -> list[str]:
    """Rows as a table of Markdown."""
    names = list(found[0])
    head = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return head + ["| " + " | ".join(_cell(row.get(n)) for n in names) + " |" for row in found]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " to ".join(map(_cell, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.links", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="made traces of each scenario")
    parser.add_argument("--deals", type=int, default=DEALS, help="ways to deal the tasks into five parts")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with agentdojo_*.jsonl and tau_*.jsonl")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the numbers go")
    parser.add_argument("--brief", action="store_true", help="leave out the table by scenario")
    asked = parser.parse_args()
    found = measured(asked.seeds, asked.deals, asked.data)
    for name, title in TITLES.items():
        if found.get(name) and not (asked.brief and name == "scenarios"):
            print("\n".join([f"## {title}", "", *table(found[name]), ""]))
    print(json.dumps(found["about"]))
    asked.json.parent.mkdir(exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
