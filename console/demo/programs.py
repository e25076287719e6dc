"""Programs of a demo, of a test, of a long run: begun with a log each, watched, given orders, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console.supervise import unprivileged, user_ids

READY = 60.0  # seconds for programs to answer, or to end


class LabError(RuntimeError):
    """Something of the demo's surroundings failed; the text has its last words."""


def driftline(config: Path) -> dict[str, list[str]]:
    """Command lines of the classifier and the sensor. Makes `run` and `state` beside the configuration, for the classifier."""
    uid, gid = user_ids(None)
    for name in ("run", "state"):
        (config.parent / name).mkdir(mode=0o750)
        os.chown(config.parent / name, uid, gid)
    command = [sys.executable, "-m", "console.cli.main", "--config", str(config)]
    return {"classifier": unprivileged([*command, "classifier"], (uid, gid)), "sensor": [*command, "sensor"]}


class Programs:
    """Child processes by name. The one called "stage" takes orders: a line of JSON each, answered with one.

    Args:
        folder: Of the logs.
        apart: Each in a session of its own: what a terminal sends to all, such as Ctrl-C, is for whoever began them to pass on.
    """

    def __init__(self, folder: Path, *, apart: bool = False) -> None:
        self._folder, self._apart = folder, apart
        self._running: dict[str, subprocess.Popen[str]] = {}

    def launch(self, name: str, command: list[str]) -> None:
        pipe = subprocess.PIPE if name == "stage" else subprocess.DEVNULL
        with (self._folder / f"{name}.log").open("w") as log:
            self._running[name] = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=self._apart
            )

    def pids(self) -> dict[str, int]:
        """Of those that were launched and not ended."""
        return {name: program.pid for name, program in self._running.items()}

    def end(self, name: str, seconds: float = READY) -> None:
        """Ends it, and kills it if it has not ended in time."""
        program = self._running.pop(name, None)
        if program is None:
            return
        if program.stdin is not None:
            program.stdin.close()  # the stage ends with its input
        else:
            program.terminate()
        try:
            program.wait(seconds)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    def order(self, order: Mapping[str, object]) -> dict[str, Any]:
        """One line to the stage, and its answer."""
        stage = self._running["stage"]
        assert stage.stdin is not None
        stage.stdin.write(json.dumps(order) + "\n")
        stage.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """What the stage says next.

        Raises:
            LabError: It has ended.
        """
        stage = self._running["stage"]
        assert stage.stdout is not None
        line = stage.stdout.readline()
        if not line:
            raise LabError(f"the stage ended; {self.last_words()}")
        return json.loads(line)

    def alive(self) -> None:
        """Fails if a program has ended.

        Raises:
            LabError: Which, and its last words.
        """
        for name, program in self._running.items():
            if program.poll() is not None:
                raise LabError(f"the {name} ended with {program.returncode}; {self.last_words()}")

    def last_words(self) -> str:
        """The last line of each log."""
        logs = {p.stem: p.read_text(errors="replace").strip().splitlines()[-1:] for p in self._folder.glob("*.log")}
        return "; ".join(f"{name} said: {lines[0][:300]}" for name, lines in sorted(logs.items()) if lines) or "no log"
