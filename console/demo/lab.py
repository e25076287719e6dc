"""The demo's surroundings: a cgroup, the sensor, the classifier and the stage, begun and ended as one.

Everything that it makes it takes away again: processes by their pids or the cgroup that it made, pins by the sensor's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from classifier.policy import DAY
from console.cli.control import Control
from console.cli.failure import Failure
from console.cli.output import say
from console.demo.programs import READY, LabError, Programs, driftline
from sensor.probes import client, pins
from sensor.settings import SensorSettings

WORKLOAD = "demo/shop/Deployment/{app}/{app}"


@dataclass(frozen=True, slots=True)
class Scenery:
    """What differs from one story to another."""

    stage: str = "console.demo.stage"  # the module that plays the peers and the agents
    time_scale: float = DAY  # a day of the policy takes a second
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # more of the configuration


@contextlib.contextmanager
def workplace(prefix: str) -> Iterator[Path]:
    """A folder for one run, gone afterwards, also where SIGTERM ends it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)  # the classifier runs as nobody in particular
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Lab:
    """A context: inside it, agents can be started and are observed."""

    def __init__(self, folder: Path, *, quiet: bool = False, scenery: Scenery | None = None) -> None:
        self.folder, self.quiet, self.name = folder, quiet, f"demo-{os.getpid()}"
        self._scenery = scenery or Scenery()
        self.cgroup = client.cgroup_root() / f"driftline-{self.name}"
        self.trace, self.config = folder / "state" / "demo.trace", folder / "demo.yaml"
        self.findings: list[dict[str, Any]] = []
        self._control = Control(str(folder / "run" / "control.sock"))
        self._programs = Programs(folder)
        self._made = self._ready = False  # the cgroup is ours; everything has started
        self._begun = time.monotonic()

    def __enter__(self) -> Lab:
        try:
            self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _begin(self) -> None:
        self.cgroup.mkdir()
        self._made = True
        self._configure()
        commands = driftline(self.config)
        self._programs.launch("classifier", commands["classifier"])
        self.until(lambda: self.ask("health") is not None, "the classifier")
        self._programs.launch("sensor", commands["sensor"])
        self.until(lambda: pins.exists(self.name), "the sensor")
        day = DAY / self._scenery.time_scale
        self.tell(f"sensor and classifier run; a day of the policy takes {day:g} second{'' if day == 1 else 's'}")
        self.until((self.folder / "sensor" / f"{self.name}.json").exists, "the list of probes")
        for probe, why in sorted(self.probes().items()):
            if why != "on":
                self.tell(f"the probe {probe} is off here: {why}", style="yellow")
        self._programs.launch("stage", [sys.executable, "-m", self._scenery.stage, str(self.folder), str(self.cgroup)])
        self._programs.answer()
        self._ready = True

    def _configure(self) -> None:
        """JSON is YAML."""
        rule = {
            "match": f"/driftline-{self.name}/(?P<app>[a-z-]+)/(?P<revision>v[0-9]+)-[0-9]+",
            "workload": WORKLOAD,
            "revision": "{revision}",
        }
        settings = {
            "node": "demo",
            "run_dir": str(self.folder / "run"),
            "state_dir": str(self.folder / "state"),
            "sensor": {
                "name": self.name,
                "scope": str(self.cgroup),
                "interval": 1.0,
                "run_dir": str(self.folder / "sensor"),
                "keep_pinned": False,
            },
            "classifier": {"time_scale": self._scenery.time_scale, "trace": str(self.trace), "systemd": 0},
            "identity": {"cri_sockets": [], "docker_sockets": [], "podman_sockets": [], "rules": [rule]},
        }
        for part, more in self._scenery.settings.items():
            settings[part] = settings.get(part, {}) | more
        self.config.write_text(json.dumps(settings))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends everything in order; a step that fails does not keep the later ones from their work."""
        with contextlib.ExitStack() as last:
            last.callback(self._remove_cgroups)
            last.callback(client.unload, SensorSettings(name=self.name, run_dir=self.folder / "sensor"))
            last.callback(self._programs.end, "classifier")
            if kind is None and self._ready:
                last.callback(self._settle)
            last.callback(self._programs.end, "sensor")
            last.callback(self._programs.end, "stage")

    def _settle(self) -> None:
        """Waits until the classifier has taken everything that the sensor sent, then keeps its last word."""
        self.until(lambda: (self.ask("health") or {}).get("sensors") == [], "what the sensor sent")
        self.findings = self.rows("findings")

    def _remove_cgroups(self) -> None:
        if not self._made or not self.cgroup.is_dir():
            return
        (self.cgroup / "cgroup.kill").write_text("1")
        end = time.monotonic() + READY
        while time.monotonic() < end:
            with contextlib.suppress(OSError):  # a process of it is still being reaped
                for directory, _, _ in os.walk(self.cgroup, topdown=False):
                    os.rmdir(directory)
                return
            time.sleep(0.05)

    # -- what the story does -----------------------------------------------------------------------------------------

    def order(self, **order: object) -> dict[str, Any]:
        """One line to the stage, and its answer."""
        return self._programs.order(order)

    def start(self, app: str, revision: str, number: int) -> None:
        self.order(start=app, revision=revision, number=number)

    def stop(self, app: str, revision: str, number: int) -> None:
        self.order(stop=app, revision=revision, number=number)

    def inject(self, command: str) -> None:
        """The next ticket carries a command."""
        self.order(inject=command)

    def stolen(self) -> int:
        """Bytes that the thief has."""
        return int(self.order(ask="stolen")["stolen"])

    def deploy(self, app: str, *, kind: str, revision: str, scope: tuple[str, ...]) -> None:
        """Announces a change as `driftline deploy mark` does."""
        workload = WORKLOAD.format(app=app)
        body = {"id": f"{app}-{revision}", "workload": workload, "kind": kind, "revision": revision}
        body |= {"scope": list(scope), "actor": "demo"}
        self._control.post("deploys", body=body)

    def learn(self, seconds: float) -> None:
        """Waits until every workload has converged, at least so long."""
        self.pause(seconds)
        self.until(lambda: all(w["state"] == "converged" for w in self.workloads()), "convergence")

    def probes(self) -> dict[str, str]:
        """Probe → "on" or why not."""
        return json.loads((self.folder / "sensor" / f"{self.name}.json").read_text())["probes"]

    def ask(self, *parts: str) -> Any:
        """What the classifier answers to a question; None: nothing yet."""
        try:
            return self._control.get(*parts)
        except Failure:
            return None

    def workloads(self) -> list[dict[str, Any]]:
        return self.rows("workloads")

    def await_label(self, label: str, seconds: float) -> dict[str, Any]:
        """The first finding with a label.

        Raises:
            LabError: None came in time.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for found in self.rows("findings"):
                if found["label"] == label:
                    return found
            time.sleep(0.1)
        raise LabError(f"no {label} within {seconds:.0f} s; {self._programs.last_words()}")

    def left(self) -> str:
        """What of the demo is still in the kernel."""
        return ", ".join(str(p) for p in pins.BPFFS.glob(f"driftline-{self.name}*"))

    def pause(self, seconds: float) -> None:
        """Lets the story go on, and fails at once if a program has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._programs.alive()
            time.sleep(min(0.25, max(0.0, end - time.monotonic())))

    def tell(self, text: str, *, style: str = "") -> None:
        if not self.quiet:
            say(f"{time.monotonic() - self._begun:6.1f} s  {text}", style=style)

    def until(self, condition: Callable[[], object], what: str, seconds: float = READY) -> None:
        """Waits for something.

        Raises:
            LabError: It did not come in time, or a program ended.
        """
        end = time.monotonic() + seconds
        while not condition():
            self._programs.alive()
            if time.monotonic() > end:
                raise LabError(f"{what} took more than {seconds:.0f} s; {self._programs.last_words()}")
            time.sleep(0.1)

    def rows(self, what: str) -> list[dict[str, Any]]:
        """What the classifier answers to a question for a list."""
        found = self._control.get(what)
        return found if isinstance(found, list) else found[what]
