"""What a round goes through: nothing, an empty tracepoint, driftline, and each tool. All are switched on and off the same way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from bench.beside.attached import attached
from bench.beside.tools import TOOLS, Target, Tool
from bench.daemon import Daemon
from bench.stage import Empty, Nothing, Probes, Stage
from sensor.probes import headers
from wire import syscalls

WITHOUT, FLOOR = "without", "empty tracepoint"
OURS = {
    "driftline": (
        ("syscalls", "process", "files", "network", "io_uring"),
        "calls and rings by name, the order of calls, programs and who called them, files, peers with names and bytes; by workload",
    ),
    "driftline, calls": (
        ("syscalls", "process"),
        "calls by name and their order, programs and who called them; by workload",
    ),
}
STILL, REST = (
    0.15,
    3.0,
)  # seconds without CPU of the tool after which it has caught up; and the longest that is waited for it
ARRIVAL = 30.0  # seconds that the last windows may take


@dataclass
class Session:
    """What is on, from its attach to its end. What it saw is known afterwards."""

    cpu: Callable[[], float] = lambda: 0.0  # seconds of the tool's own processes
    counts: Counter[str] | None = None  # None: not told by the round
    lost: int | None = None

    def rest(self) -> float:
        """Waits until the tool has caught up; seconds of CPU that it has used by then."""
        end, before = time.monotonic() + REST, self.cpu()
        while time.monotonic() < end:
            time.sleep(STILL)
            used = self.cpu()
            if used - before < 0.1 * STILL:
                return used
            before = used
        return before


class Peer(Protocol):
    """One way to watch, or not to."""

    name: str

    def on(self, target: Target): ...


@dataclass
class Bare:
    """No tool: nothing, or an empty program."""

    name: str
    probes: Nothing | Empty

    @contextmanager
    def on(self, target: Target) -> Iterator[Session]:
        with self.probes.on():
            yield Session()


@dataclass
class Other:
    """A tool, started anew each time."""

    tool: Tool
    stage: Stage
    headers: str | None

    @property
    def name(self) -> str:
        return self.tool.name

    @contextmanager
    def on(self, target: Target) -> Iterator[Session]:
        with attached(self.tool, target, self.stage, self.headers) as run:
            session = Session(run.cpu)
            yield session
            session.counts, session.lost = run.end()


@dataclass
class Ours:
    """driftline's probes, attached in microseconds, over a daemon that runs all the time."""

    name: str
    probes: Probes
    daemon: Daemon
    _cgroups: set[int] = field(default_factory=set)

    @contextmanager
    def on(self, target: Target) -> Iterator[Session]:
        self._cgroups.add(target.cgroup.stat().st_ino)
        with self.probes.on():
            yield Session(self.daemon.cpu)

    def seen(self, target: Target, witness: str, made: int) -> int:
        """Of all rounds; windows come later than calls."""
        key, end = (target.cgroup.stat().st_ino, syscalls.number(witness)), time.monotonic() + ARRIVAL
        while self.daemon.calls[key] < made and time.monotonic() < end:
            time.sleep(0.2)
        return self.daemon.calls[key]

    def lost(self, target: Target) -> int:
        return self.daemon.lost_by[target.cgroup.stat().st_ino]


def tools(stage: Stage) -> list[Other]:
    into = stage.folder / "headers"
    into.mkdir()
    found = headers.find(into)
    return [Other(tool, stage, found) for tool in TOOLS]


@contextmanager
def ours(stage: Stage) -> Iterator[list[Ours]]:
    """Each with its daemon, which listens to no agents: that has a section of its own."""
    made: list[Ours] = []
    try:
        for name, (probes, _) in OURS.items():
            settings = stage.settings(f"beside-{len(made)}", probes=probes)
            loaded = Probes(settings)
            silent = {"sensor": {"capture": {"agents": ["none"]}, "probes": list(probes)}}
            made.append(Ours(name, loaded, Daemon(stage, settings, silent)))
        yield made
    finally:
        for one in made:
            one.daemon.close()
