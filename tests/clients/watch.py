"""Sensor and classifier as a user runs them, for one cgroup, and what their commands answer."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from console.supervise import bound
from sensor.probes import client
from sensor.settings import SensorSettings
from tests.service.daemon import free_address
from tests.waiting import until
from wire.records import Event
from wire.trace import read

ROOT = Path(__file__).parents[2]
SECONDS = 120.0  # for a condition, on a machine that does other things too
T = TypeVar("T")


class WatchError(RuntimeError):
    """Something did not come about; the text has the log's last words."""


@dataclass
class Watch:
    """A running `driftline run`."""

    folder: Path
    name: str
    process: subprocess.Popen[bytes]

    def until(self, found: Callable[[], T], what: str) -> T:
        """The first true answer."""
        try:
            return until(lambda: self._alive() and found(), what, seconds=SECONDS, pause=0.1)
        except TimeoutError as e:
            raise WatchError(f"{e}; the log: {self.log()[-2000:]}") from e

    def _alive(self) -> bool:
        if self.process.poll() is not None:
            raise WatchError(f"it ended with {self.process.returncode}; the log: {self.log()[-2000:]}")
        return True

    def ask(self, *words: str) -> Any:
        """What a command answers; None where it fails."""
        done = subprocess.run(_driftline(self.folder, *words, "--json"), cwd=ROOT, capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def told(self, *words: str) -> str:
        """The same as a person sees it."""
        return subprocess.run(_driftline(self.folder, *words), cwd=ROOT, capture_output=True, text=True).stdout

    def metrics(self) -> str:
        """The page for Prometheus."""
        host, _, port = (self.folder / "metrics").read_text().rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def attached(self) -> int:
        """Places in programs that its processes watch now."""
        own = [self.process.pid, *(int(p) for p in _children(self.process.pid))]
        links = (link for pid in own for link in Path(f"/proc/{pid}/fd").glob("*"))
        return sum("perf_event" in _target(link) for link in links)

    def stop(self) -> None:
        """Ends it, so that its trace is whole."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(SECONDS)

    def events(self) -> list[Event]:
        """What its trace holds by now."""
        return [r for trace in self.traces() for r in read(str(trace), salvage=True) if isinstance(r, Event)]

    def traces(self) -> list[Path]:
        """A part for each start of the classifier."""
        return sorted((self.folder / "state").glob("all.trace*"), key=lambda p: (len(p.name), p.name))

    def log(self) -> str:
        """What both programs said."""
        return (self.folder / "log").read_text(errors="replace")


def _children(pid: int) -> list[str]:
    return [c for task in Path(f"/proc/{pid}/task").glob("*/children") for c in task.read_text().split()]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile
        return ""


def _driftline(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "console.cli.main", "--config", str(folder / "driftline.yaml"), *words]


@contextmanager
def passable(prefix: str) -> Iterator[Path]:
    """A folder for the time being, which the classifier may enter without privileges."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def started(folder: Path, cgroup: Path, agents: list[str]) -> Iterator[Watch]:
    """Observes one cgroup; `agents` are patterns of the names `unit:CGROUP`."""
    name = cgroup.name.removeprefix("driftline-")
    folder.mkdir()
    folder.chmod(0o755)
    address = "{}:{}".format(*free_address())
    (folder / "metrics").write_text(address)
    rule = {"match": f"/{cgroup.name}/(?P<name>[a-z0-9-]+)", "workload": "unit:{name}"}
    settings = {
        **{"node": "clients", "run_dir": str(folder / "run"), "state_dir": str(folder / "state")},
        "sensor": {
            **{"name": name, "scope": str(cgroup), "interval": 1.0, "run_dir": str(folder / "sensor")},
            **{"keep_pinned": False, "capture": {"agents": agents}},
        },
        "classifier": {
            **{"trace": str(folder / "state/all.trace"), "systemd": 0, "metrics_address": address},
            "retention": {"snapshot_seconds": 1},  # with each, the trace is written
        },
        "identity": {"cri_sockets": [], "docker_sockets": [], "podman_sockets": [], "rules": [rule]},
    }
    (folder / "driftline.yaml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(bound(_driftline(folder, "run")), cwd=ROOT, stdout=log, stderr=log)
    watch = Watch(folder, name, process)
    try:
        watch.until(lambda: (folder / f"sensor/{name}.json").exists(), "the sensor")
        watch.until(lambda: watch.ask("workload", "list") is not None, "the classifier")
        yield watch
    finally:
        watch.stop()
        client.unload(SensorSettings(name=name, run_dir=folder / "sensor"))
