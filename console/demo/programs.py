"""The programs of a demo: begun with a log each, watched, given orders, ended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READY = 60.0  # seconds for programs to answer, or to end


class LabError(RuntimeError):
    """Something of the demo's surroundings failed; the text has its last words."""


class Programs:
    """Child processes by name. The one called "stage" takes orders: a line of JSON each, answered with one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder  # of the logs
        self._running: dict[str, subprocess.Popen[str]] = {}

    def launch(self, name: str, command: list[str]) -> None:
        pipe = subprocess.PIPE if name == "stage" else subprocess.DEVNULL
        with (self._folder / f"{name}.log").open("w") as log:
            self._running[name] = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True)

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
