"""A kernel and a script to what the script left in its shared folder: one boot, with an end in time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.vm import initrd, packages
from tests.vm.packages import Kernel

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MEMORY = 3072  # MiB
CONSOLE_LINES = 25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one boot."""

    code: int | None  # of the script; None: it never ended
    output: str
    files: dict[str, bytes] = field(repr=False)  # what the script left in /share
    seconds: float = 0.0  # from power-on to power-off

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Machine:
    """Boots one kernel, as often as asked."""

    kernel: Kernel
    qemu: Path
    initrd: Path
    folder: Path
    tree: Path  # what the guest sees where this checkout lies

    def run(
        self, script: str, *, seconds: int, systemd: bool = False, files: dict[str, bytes] | None = None
    ) -> Outcome:
        """Runs a bash script as the guest's root; /share is the folder that host and guest have in common."""
        run = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        share = run / "share"
        share.mkdir()
        for name, data in ((files or {}) | {"command": script.encode()}).items():
            (share / name).write_bytes(data)
        begun = time.monotonic()
        # Mounts and processes in namespaces of their own: neither outlives this run, however it ends.
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        command = ["nice", "-n", "10", *namespaces, "bash", str(HERE / "host.sh")]
        done = subprocess.run(command, env=self._environment(run, seconds, systemd), capture_output=True, text=True)
        try:
            return _outcome(run, time.monotonic() - begun, done.stderr)
        finally:
            shutil.rmtree(run)

    def _environment(self, run: Path, seconds: int, systemd: bool) -> dict[str, str]:
        values = {
            "QEMU": self.qemu,
            "IMAGE": self.kernel.image,
            "INITRD": self.initrd,
            "LAYER": self.kernel.layer,
            "TREE": self.tree,
            "VENV": ROOT / ".venv",
            "AT": ROOT,
            "RUN": run,
            "SECONDS_MAX": seconds,
            "MEMORY": MEMORY,
            "ARGUMENTS": "driftline.systemd" if systemd else "",
        }
        return {"PATH": os.environ["PATH"]} | {k: str(v) for k, v in values.items()}


def make(series: str, folder: Path, tree: Path) -> Machine:
    """Fetches and unpacks what is not there yet.

    Raises:
        PackageError: A package is not to be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kernel = packages.kernel(series, folder)
    return Machine(kernel, packages.emulator(folder), initrd.build(kernel, folder), folder, tree)


def _outcome(run: Path, seconds: float, errors: str) -> Outcome:
    files = {p.name: p.read_bytes() for p in (run / "share").iterdir() if p.is_file()}
    output = _text(run / "output")
    code = int(files["code"]) if files.get("code", b"").strip() else None
    if code is None:
        output += "\n".join(["", "no end; console:", *_text(run / "console").splitlines()[-CONSOLE_LINES:], errors])
        output += _text(run / "virtiofsd.log")
    return Outcome(code, output, files, seconds)


def _text(path: Path) -> str:
    return path.read_text(errors="replace").replace("\r", "") if path.exists() else ""
