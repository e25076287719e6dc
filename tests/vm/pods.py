"""`make containers-crun`: what `make containers` does, under crun in a guest; one row for each claim in docs/containers-crun.md.

python -m tests.vm.pods [--folder /tmp] [--tree DIR] [--page FILE] [--keep]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.containers import report
from tests.containers.claims import Row
from tests.vm import boots, command, machine
from tests.vm.machine import Outcome

HEAD = """# Containers of crun

Written by `make containers-crun`, which boots Debian's kernel under qemu with this machine's own files as its root, and does in
that guest what `make containers` does on the machine itself with runc ([containers](containers.md)): containerd with its CRI
plugin, pods, a sensor and a classifier as two programs; edit `tests/containers`, not this page. This kernel has cgroup v2 with
controllers, so here containers have limits too, and the runtime's own seccomp filter.

Kernel {kernel}, {runtime}, {containerd}. **Red** means that something done was not seen, or not under its own name.
"""
TAIL = """
What this does not prove: anything about time. The guest is emulated on one core, where a pod takes seconds to begin, so the 200
short pods are runc's, and so is the rollout with its label. Nothing is acted before the container that is older than the sensor
has its name, a record waits 60 s for its owner (5 as shipped), and the process that asks CRI leaves after 300 s without a
question (30 as shipped): it takes longer to begin here than a short pod lives. crun makes the cgroups itself (`cgroupfs`); with
systemd's driver it was not tried. Probes are compiled on the machine around the guest, with the guest's offsets; its kernel
verifies and loads them.
"""
CLAIM = "pods under crun"


def main() -> int:
    options = command.parser("python -m tests.vm.pods", "Observe pods of crun in a guest.").parse_args()
    folder = options.folder / "driftline-vm-crun"

    def work() -> int:
        made = machine.make(boots.FULL, folder, options.tree)
        return _told(made.run(boots.PODS, seconds=boots.PODS_SECONDS, say=_say), options.page)

    return command.run("containers-crun", folder, work, keep=options.keep)


def _told(outcome: Outcome, page: Path | None) -> int:
    found = rows(outcome)
    if not outcome.ok:
        print(outcome.output, flush=True)
    if page:
        page.write_text(text(outcome))
    print(report.table(found))
    _say(f"{outcome.seconds:.0f} s, {outcome.cpu:.0f} s of CPU")
    _say(f"{len(found)} claims, {sum(not r.holds for r in found)} red")
    return 0 if outcome.ok and all(r.holds for r in found) else 1


def _say(what: str) -> None:
    print(f"containers-crun: {what}", flush=True)


def rows(outcome: Outcome) -> tuple[Row, ...]:
    """What a guest left; one red row where it left nothing."""
    try:
        return tuple(Row(**row) for row in _left(outcome)["pods"])
    except (KeyError, ValueError):
        return (Row(CLAIM, "not done", "no answer of the guest", False),)


def text(outcome: Outcome) -> str:
    """The whole page."""
    try:
        names = _left(outcome)["names"]
    except (KeyError, ValueError):
        names = dict.fromkeys(("kernel", "runtime", "containerd"), "unknown")
    return "\n".join([HEAD.format(**names), report.body(rows(outcome)), TAIL])


def _left(outcome: Outcome) -> dict:
    return json.loads(outcome.files["pods.json"])


if __name__ == "__main__":
    sys.exit(main())
