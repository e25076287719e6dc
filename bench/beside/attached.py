"""A tool that runs: started, waited for until it watches, asked to end, its answer read. Its CPU is what its processes used."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.beside import parse
from bench.beside.tools import Target, Tool
from bench.stage import Stage

READY, END = 40.0, 10.0  # seconds that a tool may take to attach, and to answer
QUIET, STEP = 6, 0.05  # a tool watches when it has hardly used CPU for so many steps with its events open
HARDLY = 0.2  # of a core: a server that waits is heard now and then


class ToolError(RuntimeError):
    """A tool did not run here; the text is what it said."""


class Attached:
    """One run of a tool."""

    def __init__(self, tool: Tool, target: Target, stage: Stage, headers: str | None = None) -> None:
        self._tool, self._said = tool, stage.folder / "tool.out"
        if not shutil.which(tool.program):
            raise ToolError(f"{tool.program} is not installed; as root, make packages-bench")
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "LC_ALL": "C"}
        if headers:
            environment["BCC_KERNEL_SOURCE"] = headers
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a job in the background; a tool would never end
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with self._said.open("w") as out:
            self._process = subprocess.Popen(
                [tool.program, *tool.argv(target)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                cwd=stage.folder,
            )
        try:
            self._watches(target)
        except BaseException:
            self.kill()
            raise

    def _watches(self, target: Target) -> None:
        """Until it sleeps with its events open, or holds its processes."""
        end, quiet, before = time.monotonic() + READY, 0, 0.0
        while quiet < QUIET:
            if self._process.poll() is not None or time.monotonic() > end:
                raise ToolError(parse.reason(self._said.read_text(errors="replace")))
            time.sleep(STEP)
            used = self.cpu()
            quiet = quiet + 1 if used - before < HARDLY * STEP and (self._events() or self._holds(target)) else 0
            before = used

    def _events(self) -> bool:
        with contextlib.suppress(OSError):  # it ended while we looked
            return any("perf_event" in os.readlink(x) for x in Path(f"/proc/{self._process.pid}/fd").iterdir())
        return False

    def _holds(self, target: Target) -> bool:
        return all(f"TracerPid:\t{self._process.pid}\n" in _read(f"/proc/{pid}/status") for pid in target.pids)

    def cpu(self) -> float:
        """Seconds of CPU that it has used, all its threads together."""
        with contextlib.suppress(OSError, IndexError):
            tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
        return 0.0

    def end(self) -> tuple[Counter[str], int | None]:
        """Calls by name, and how much it says that it lost."""
        if not self._ended(signal.SIGINT) and not self._ended(signal.SIGTERM):
            self.kill()
            raise ToolError(f"it did not end within {2 * END:g} s when it was asked to")
        text = self._said.read_text(errors="replace")
        return self._tool.counts(text), self._tool.lost(text)

    def _ended(self, number: signal.Signals) -> bool:
        self._process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END)
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text()
    return ""


@contextmanager
def attached(tool: Tool, target: Target, stage: Stage, headers: str | None) -> Iterator[Attached]:
    """Ends it whatever happens."""
    one = Attached(tool, target, stage, headers)
    try:
        yield one
    finally:
        if one._process.poll() is None:
            one.kill()
