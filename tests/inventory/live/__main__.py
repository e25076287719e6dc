"""`make demo-inventory`: three moments around a change of model and a side-loaded tool server, from real processes.

python -m tests.inventory.live [--keep FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from console.cli.output import emit_table
from tests.clients.node import NodeError
from tests.clients.watch import WatchError
from tests.inventory.live import story
from tests.inventory.live.story import AGENT, Told
from tests.kernel import lab


def main() -> int:
    options = _options()
    if why := lab.missing():
        print(f'Error: {why}\nHint: run "make setup-test" as root, on a kernel with BPF', file=sys.stderr)
        return 3
    try:
        with story.folder() as folder:
            told = story.tell(folder, lambda line: None if options.json else print(line, flush=True))
            faults = story.problems(told)
            _print(told, faults, as_json=options.json)
            if options.keep:
                _keep(told, options.keep)
    except (NodeError, WatchError) as e:
        print(f"Error: {e}", file=sys.stderr)
        return 1
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.inventory.live", description="Ask an inventory of three moments."
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave trace, manifest and bill of materials there")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser.parse_args()


def _print(told: Told, faults: list[str], *, as_json: bool) -> None:
    if as_json:
        moments = [{"at": m.at, "words": m.words, "inventory": m.found} for m in told.moments]
        print(json.dumps({"moments": moments, "changes": told.changes, "checked": told.checked, "faults": faults}))
        return
    for moment in told.moments:
        print(f"\n$ driftline inventory show {AGENT} --at {moment.at}")
        items = [i for i in moment.found["items"] if i["kind"] != "library"]
        emit_table(
            ("kind", "name", "version", "basis", "details"),
            ([i["kind"], i["name"], i["version"], i["basis"], i["more"]] for i in items),
        )
    first, last = told.moments[0].at, told.moments[-1].at
    print(f"\n$ driftline inventory diff {AGENT} --from {first} --to {last}")
    emit_table(
        ("change", "kind", "name", "time"), ([c["change"], c["kind"], c["name"], c["when"]] for c in told.changes)
    )
    print(f"\n$ driftline inventory check {AGENT} --manifest manifest.json")
    emit_table(
        ("status", "kind", "declared", "loaded"),
        ([r[k] for k in ("status", "kind", "declared", "loaded")] for r in told.checked),
    )
    parts = ", ".join(f"{len(told.bom[part])} {part}" for part in ("components", "services"))
    print(f"\n$ driftline inventory export {AGENT} --format cyclonedx --at {last}\n{parts}")
    for fault in faults or ("all as it was, live and from the trace; the bill of materials is valid CycloneDX 1.6",):
        print(f"inventory: {fault}")


def _keep(told: Told, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(told.trace, folder / "agent.trace")
    shutil.copy(told.home / "manifest.json", folder)
    (folder / "agent.cdx.json").write_text(json.dumps(told.bom, indent=1))
    print(
        f"kept in {folder}: agent.trace, manifest.json, agent.cdx.json; every command takes --trace {folder}/agent.trace"
    )


if __name__ == "__main__":
    sys.exit(main())
