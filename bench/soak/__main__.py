"""`python -m bench.soak`: two hours with 50 workloads, as root; a table, `--json`, and exit 1 if something is wrong."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.soak import page, result
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
        "--output", type=Path, default=OUTPUT, help="where the result goes, at each rest and at the end"
    )
    parser.add_argument(
        "--folder", type=Path, help="keep logs, trace, state and raw.json here; else they go with the run"
    )
    parser.add_argument("--from", dest="raw", type=Path, help="evaluate this raw.json of a run, over or under way")
    parser.add_argument("--beside", type=Path, help="with --from: raw.json of a steady run, whose slopes go beside")
    parser.add_argument(
        "--steady", action="store_true", help="every replica stays to the end: what grows grows with time alone"
    )
    parser.add_argument("--json", action="store_true", help="print the whole result")
    options = parser.parse_args()
    if options.raw:
        results = _read(options.raw)
        if options.beside:
            results["steady"] = _read(options.beside)["slopes"]
    elif os.geteuid() == 0:
        results = _run(options)
    else:
        return _refused("the soak loads probes and makes cgroups", "run it as root", 3)
    keep(result.kept(results), options.output)
    print(json.dumps(results, indent=1) if options.json else table(results))
    for line in results["wrong"]:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if results["wrong"] else 0


def _read(path: Path) -> dict[str, Any]:
    """The result of a run from its raw values."""
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        sys.exit(_refused(f"{path}: {e}", "--folder FOLDER keeps raw.json"))
    if not isinstance(raw, dict) or not isinstance(raw.get("samples"), list):
        sys.exit(_refused(f"{path} is no raw result", "--folder FOLDER keeps raw.json"))
    return result.of(raw)


def _refused(error: str, hint: str, code: int = 2) -> int:
    print(f"Error: {error}\nHint: {hint}", file=sys.stderr)
    return code


def _run(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="driftline-soak-") as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the classifier runs as nobody in particular

        def both(results: dict[str, Any]) -> None:
            keep(results, folder / "raw.json")
            keep(result.kept(results), options.output)

        results = Soak(folder.resolve(), options.minutes, say, both, steady=options.steady).run()
        both(results)
        return results


def keep(results: dict[str, Any], path: Path) -> None:
    """By a rename, so that a run that is cut off leaves the last whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(results, separators=(",", ":")) + "\n")
    beside.rename(path)


def table(results: dict[str, Any]) -> str:
    """For people."""
    found = page.rows(results)
    wide = [max(len(row[key]) for row in found) for key in ("what", "measured")]
    warm = results["slopes"]["warm_up"] / 60
    lines = [f"{r['what']:<{wide[0]}}  {r['measured']:>{wide[1]}}  {r['unit']}" for r in found]
    machine = results["machine"]
    about = f"{machine['command']}, Linux {machine['kernel']}; slopes with 95 % intervals, from minute {warm:.0f} on"
    return "\n".join([*lines, about])


if __name__ == "__main__":
    sys.exit(main())
