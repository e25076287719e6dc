"""What a guest prints, as it prints it, to one line for each stage: how long it took, and how much of this machine's CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

MARK = "@@ "  # a line that begins so names the stage that begins with it
TICKS = os.sysconf("SC_CLK_TCK")


class Stages:
    """Follows the output of one boot."""

    def __init__(self, output: Path, session: int, say: Callable[[str], None]) -> None:
        self.begun = False  # whether the guest has said anything yet
        self._output, self._session, self._say = output, session, say
        self._read, self._line = 0, b""
        self._stage, self._since, self._cpu = "boot", time.monotonic(), cpu(session)

    def look(self) -> None:
        """Says what has ended since the last look."""
        with self._output.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        *lines, self._line = (self._line + new).split(b"\n")
        for stage in marks(lines):
            self._next(stage)

    def _next(self, stage: str) -> None:
        self.begun = True
        now, used = time.monotonic(), cpu(self._session)
        self._say(f"{self._stage}: {now - self._since:.0f} s, {used - self._cpu:.0f} s of CPU")
        self._stage, self._since, self._cpu = stage, now, used


def marks(lines: list[bytes]) -> list[str]:
    r"""Names of the stages that begin in some lines of a console.

    >>> marks([b"@@ facts\r", b"an @@ elsewhere"])
    ['facts']
    """
    texts = (line.decode(errors="replace").strip() for line in lines)
    return [text.removeprefix(MARK) for text in texts if text.startswith(MARK)]


def cpu(session: int) -> float:
    """Seconds of CPU that the processes of a session have used, those that are gone and were waited for among them."""
    found = (_fields(stat) for stat in Path("/proc").glob("[0-9]*/stat"))
    return sum(sum(map(int, fields[11:15])) / TICKS for fields in found if fields and int(fields[3]) == session)


def _fields(stat: Path) -> list[bytes]:
    """From the state on: a name may hold any bytes, brackets among them. Source: man 5 proc."""
    try:
        return stat.read_bytes().rpartition(b") ")[2].split()
    except OSError:  # it ended while we looked
        return []
