"""Restarts of observed systemd units, and what changed with them: unit files → config, package or program → dependency.

systemd is asked every few seconds; it keeps when a unit's main process started, so a restart between two looks is seen
with its time. A restart is news only if the unit was seen before: the first look learns.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wire.records import Deploy, Workload

RUNNING = Path("/run/systemd/system")  # exists where systemd is the init of the machine; sd_booted(3)
PROPERTIES = ("Id", "ExecMainStartTimestamp", "FragmentPath", "DropInPaths", "ExecStart", "InvocationID")
TIMEOUT = 10.0  # seconds for one answer
UNITS = 512  # asked for at once
PROGRAM = re.compile(r"path=([^ ;]+)")

Run = Callable[[list[str]], str]


@dataclass(frozen=True, slots=True)
class Seen:
    """One start of a unit."""

    invocation: str  # changes with every start
    started: float  # seconds since the epoch
    files: str  # digest of the unit's files
    package: str  # name and version of the package its program belongs to; "" where unknown


class Units:
    """The units of workloads ``unit:NAME``.

    Args:
        revision: what a workload's replicas carry now, as the stream says; None where it says nothing.
        state: what `state` was before a restart of the classifier.
        run: runs a command and returns what it prints.
        blind_spot: why nothing is seen; "" where something is.
    """

    def __init__(
        self,
        revision: Callable[[str], str | None],
        state: Mapping[str, Any],
        *,
        run: Run | None = None,
        running: Path = RUNNING,
    ):
        self._revision, self._run = revision, run or _run
        self._seen = {name: Seen(**row) for name, row in state.items()}
        self.blind_spot = "" if running.exists() else "no systemd: restarts of units are not seen"

    @property
    def state(self) -> dict[str, Any]:
        """What was seen last, to be kept over a restart."""
        return {name: asdict(seen) for name, seen in sorted(self._seen.items())}

    def look(self, units: set[str], now: float) -> list[Deploy]:
        """Changes since the last look.

        Args:
            units: names of those that are observed.
            now: seconds since the epoch.
        """
        if not units or (self.blind_spot and self.blind_spot.startswith("no systemd")):
            return []
        try:
            answer = self._run(
                ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *sorted(units)[:UNITS]]
            )
        except (OSError, subprocess.SubprocessError) as e:
            self.blind_spot = f"systemd does not answer: {e!s:.200}"
            return []
        self.blind_spot = ""
        return [d for unit in blocks(answer) if (d := self._change(unit, now)) is not None]

    def _change(self, unit: Mapping[str, str], now: float) -> Deploy | None:
        name, started = unit.get("Id", ""), timestamp(unit.get("ExecMainStartTimestamp", ""))
        if not name or started is None:
            return None  # it does not run
        before = self._seen.get(name)
        if before is not None and before.invocation == unit.get("InvocationID"):
            return None
        seen = Seen(unit.get("InvocationID", ""), started, _files(unit), self._package(unit))
        self._seen[name] = seen
        return None if before is None else self._deploy(name, before, seen, now)

    def _deploy(self, name: str, before: Seen, seen: Seen, now: float) -> Deploy:
        kind, actor = "restart", ""
        if before.files != seen.files:
            kind = "config"
        elif before.package != seen.package:
            kind, actor = "dependency", f"{before.package or 'none'} → {seen.package or 'none'}"
        workload = Workload(f"unit:{name}")
        revision = self._revision(workload) if kind != "restart" else None
        id = f"systemd:{name}:{seen.invocation or seen.started}"
        return Deploy(id, seen.started, now, "systemd", workload, kind, revision, actor or "systemd", trust="local")

    def _package(self, unit: Mapping[str, str]) -> str:
        """Package and version of the unit's program, by Debian's database; else the program's size and time."""
        found = PROGRAM.search(unit.get("ExecStart", ""))
        if found is None:
            return ""
        try:
            owner = self._run(["dpkg-query", "--search", found[1]]).partition(":")[0]
            version = self._run(["dpkg-query", "--show", "--showformat=${Version}", owner])
        except (OSError, subprocess.SubprocessError):  # another distribution, or a program of no package
            return _stamp(Path(found[1]))
        return f"{owner} {version}"


def blocks(answer: str) -> Iterator[dict[str, str]]:
    """Units of an answer of ``systemctl show``.

    >>> list(blocks("Id=a.service\\nX=1=2\\n\\nId=b.service\\n"))
    [{'Id': 'a.service', 'X': '1=2'}, {'Id': 'b.service'}]
    """
    for block in answer.split("\n\n"):
        pairs = (line.partition("=") for line in block.splitlines())
        if unit := {name: value for name, equals, value in pairs if equals}:
            yield unit


def timestamp(text: str) -> float | None:
    """Seconds of a time as systemd prints it with ``TZ=UTC``; None for none.

    >>> timestamp("Sat 2026-11-21 04:13:04 UTC")
    1795234384.0
    """
    try:
        return datetime.strptime(f"{text} +0000", "%a %Y-%m-%d %H:%M:%S UTC %z").timestamp()
    except ValueError:
        return None


def _files(unit: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for path in (unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split()):
        try:
            digest.update(Path(path).read_bytes() if path else b"")
        except OSError:  # removed, or not for us: counts as empty, so its return is a change
            continue
        digest.update(b"\0")
    return digest.hexdigest()


def _stamp(path: Path) -> str:
    try:
        held = path.stat()
    except OSError:
        return ""
    return f"{path} {held.st_size} {int(held.st_mtime)}"


def _run(command: list[str]) -> str:
    program = shutil.which(command[0], path="/usr/bin:/bin") or command[0]
    environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [program, *command[1:]], env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    return done.stdout
