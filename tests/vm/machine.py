"""A kernel and a script to what the script left in its shared folder: one boot, with an end in time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from tests.vm import bytecode, initrd, loads, packages
from tests.vm.compiler import Compiler
from tests.vm.packages import Kernel
from tests.vm.stages import Stages, cpu

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MEMORY = 3072  # MiB
CONSOLE_LINES = 25
UP_SECONDS = 300  # the longest from power-on to the guest's first word; an idle machine takes 3, with systemd 17
LOOK = 0.5  # seconds between two looks at what a guest says
NICE = 5  # a machine that does other things too goes on with them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one boot."""

    code: int | None  # of the script; None: it never ended
    output: str
    files: dict[str, bytes] = field(repr=False)  # what the script left in /share
    begun: bool = True  # False: the guest never came up
    seconds: float = 0.0  # from power-on to power-off
    cpu: float = 0.0  # seconds of this machine's
    compiled: int = 0  # programs, on this machine for the guest

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
    made: Path  # a layer of what Python and gcc make of it
    over: Event = field(default_factory=Event)  # set: whatever runs is ended

    def run(self, script: str, *, seconds: int, say: Callable[[str], None] = print, systemd: bool = False) -> Outcome:
        """Runs a bash script as the guest's root; /share is the folder that host and guest have in common.

        A guest that never came up is booted once more: that is about qemu and this machine, not about driftline. One that came
        up is never asked twice.
        """
        first = self._boot(script, seconds, systemd, say)
        if first.begun or self.over.is_set():
            return first
        say(f"did not come up within {first.seconds:.0f} s, once more; its console:\n{first.output}")
        return self._boot(script, seconds, systemd, say)

    def _boot(self, script: str, seconds: int, systemd: bool, say: Callable[[str], None]) -> Outcome:
        run = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        (run / "share").mkdir()
        (run / "share/command").write_text(script)
        (run / "output").touch()
        # Mounts and processes in namespaces of their own: neither outlives this run, however it ends, nor this program.
        last = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", str(NICE)]
        namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        command = [*last, *namespaces, "bash", str(HERE / "host.sh")]
        compiler = Compiler(run / "compiler")
        try:
            with (run / "errors").open("wb") as errors:
                boot = subprocess.Popen(
                    command, env=self._environment(run, seconds, systemd), stderr=errors, start_new_session=True
                )
            return self._followed(boot, run, say, compiler)
        finally:
            compiler.close()
            shutil.rmtree(run, ignore_errors=True)  # a guest that was ended may still be on its way out

    def _followed(self, boot: subprocess.Popen, run: Path, say: Callable[[str], None], compiler: Compiler) -> Outcome:
        """Until its end, which comes early to one that never says a word."""
        begun, used = time.monotonic(), 0.0
        stages = Stages(run / "output", boot.pid, say)
        try:
            while boot.poll() is None and not self.over.is_set():
                time.sleep(LOOK)
                used = max(used, cpu(boot.pid))
                stages.look()
                if not stages.begun and time.monotonic() - begun > UP_SECONDS:
                    break
        finally:
            boot.kill()  # its namespaces, and all that is in them, end with it
            boot.wait()
        stages.look()
        return _outcome(run, begun=stages.begun, seconds=time.monotonic() - begun, cpu=used, compiled=compiler.count)

    def _environment(self, run: Path, seconds: int, systemd: bool) -> dict[str, str]:
        values = {
            "QEMU": self.qemu,
            "IMAGE": self.kernel.image,
            "INITRD": self.initrd,
            "LAYER": self.kernel.layer,
            "MADE": self.made,
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
    qemu, first = packages.emulator(folder), initrd.build(kernel, folder)
    made = bytecode.build(tree, folder / "made")
    loads.build(tree, made)
    return Machine(kernel, qemu, first, folder, tree, made)


def _outcome(run: Path, **measured: float) -> Outcome:
    files = {p.name: p.read_bytes() for p in (run / "share").iterdir() if p.is_file()}
    output = _text(run / "output")
    code = int(files["code"]) if files.get("code", b"").strip() else None
    if code is None:
        output += "\n".join(["", "no end; console:", *_text(run / "console").splitlines()[-CONSOLE_LINES:]])
        output += _text(run / "errors") + _text(run / "virtiofsd.log")
    return Outcome(code, output, files, **measured)


def _text(path: Path) -> str:
    return path.read_text(errors="replace").replace("\r", "") if path.exists() else ""
