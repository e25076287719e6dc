"""Programs of known loads, compiled on this machine into a layer over the guest's files, where `guest/gcc` finds them by name.

python -m tests.vm.loads INTO, in the checkout whose sources they are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = "usr/lib/driftline-vm"


def build(tree: Path, layer: Path) -> None:
    (layer / PLACE).mkdir(parents=True, exist_ok=True)
    subprocess.run([ROOT / ".venv/bin/python", "-m", "tests.vm.loads", layer / PLACE], cwd=tree, check=True)


def main(into: str) -> None:
    from tests.containers import cluster
    from tests.kernel import lab

    lab.build(Path(into))
    cluster.compiled(Path(into))


if __name__ == "__main__":
    main(*sys.argv[1:])
