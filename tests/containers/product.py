"""Sensor and classifier as a user runs them, two programs with one configuration, observing the pods of one node.

What they said is read as a user may: asked of the running classifier, and in the trace that it keeps of every accepted record.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from console.cli.control import Control
from console.cli.failure import Failure
from console.demo.programs import LabError, Programs, driftline
from sensor.probes import client, pins
from sensor.settings import SensorSettings
from tests.containers.cluster import Cluster, until
from tests.waiting import PACE
from wire.records import Record
from wire.trace import read

INTERVAL = 1.0  # seconds of a window
READY = 90.0 * PACE  # seconds for a program to begin or to end
PATIENCE = (
    60.0  # seconds that a record waits for its owner: 5 as shipped, more here, for a machine that does other things too
)
SETTLED = PATIENCE + 15.0 * PACE  # seconds after which no owner is still being asked for


class Product:
    """Both programs. `stop` ends them in order, so that everything observed is in the trace."""

    def __init__(self, folder: Path, cluster: Cluster, time_scale: float) -> None:
        self.name = f"containers-{os.getpid()}"  # one at a time
        self.folder, self.trace = folder, folder / "state/all.trace"
        self._control = Control(str(folder / "run/control.sock"))
        self._programs = Programs(folder)
        self._settings = SensorSettings(name=self.name, run_dir=folder / "sensor")
        self._configure(cluster, time_scale)

    def start(self) -> None:
        """Both programs run, and every probe is on."""
        commands = driftline(self.folder / "driftline.yaml")
        self._programs.launch("classifier", commands["classifier"])
        self._until(lambda: self._asked("health"), "the classifier")
        self._programs.launch("sensor", commands["sensor"])
        self._until(lambda: (self._asked("health") or {}).get("sensors"), "the sensor")
        off = {name: why for name, why in self.probes().items() if why != "on"}
        if off:
            raise LabError(f"probes are off: {off}")

    def settle(self, workloads: Set[str]) -> set[str]:
        """Waits until the classifier knows all of them, so that no owner is still being asked for; those that it never knew."""
        with contextlib.suppress(TimeoutError):
            until(lambda: (self._programs.alive(), workloads <= self.workloads())[1], "all workloads", SETTLED)
        return set(workloads) - self.workloads()

    def stop(self) -> None:
        """The sensor first; the classifier when it has taken everything that the sensor sent."""
        self._programs.end("sensor", READY)
        self._until(lambda: (self._asked("health") or {}).get("sensors") == [], "the last records")
        self._programs.end("classifier", READY)

    def clear(self) -> None:
        """Nothing of it stays in the kernel, whatever happened before."""
        for name in ("sensor", "classifier"):
            self._programs.end(name, READY)
        client.unload(self._settings)
        if left := [p.name for p in pins.BPFFS.glob(f"{pins.folder(self.name).name}*")]:
            raise LabError(f"left in the kernel: {left}")

    def probes(self) -> dict[str, str]:
        return json.loads((self.folder / f"sensor/{self.name}.json").read_text())["probes"]

    def workloads(self) -> set[str]:
        return {row["workload"] for row in self.rows("workloads")}

    def rows(self, what: str) -> list[dict[str, Any]]:
        """Workloads or findings, as the command line would list them."""
        found = self._control.get(what)
        return found if isinstance(found, list) else found[what]

    def announce(self, workload: str, revision: str, scope: tuple[str, ...]) -> None:
        """What `driftline deploy mark` does."""
        told = {"id": f"rollout-{revision}", "workload": workload, "kind": "image", "revision": revision}
        self._control.post("deploys", body=told | {"scope": list(scope), "actor": "containers"})

    def records(self) -> list[Record]:
        """Everything that the classifier accepted; after the stop."""
        return list(read(self.trace))

    def _configure(self, cluster: Cluster, time_scale: float) -> None:
        """JSON is YAML."""
        node = cluster.node
        settings = {
            "node": "lab",
            "run_dir": str(self.folder / "run"),
            "state_dir": str(self.folder / "state"),
            "sensor": {
                "name": self.name,
                "scope": str(cluster.scope),
                "interval": INTERVAL,
                "run_dir": str(self._settings.run_dir),
                "keep_pinned": False,
            },
            "classifier": {"time_scale": time_scale, "trace": str(self.trace), "systemd": 0},
            "identity": {
                "cluster": "lab",
                "patience": PATIENCE,
                "child_idle": 30.0 * PACE,  # as shipped, on the machine itself
                "cri_sockets": [node.socket],
                "docker_sockets": [],
                "podman_sockets": [],
                "roots": [f"/{node.cgroup.name}"],
            },
        }
        (self.folder / "driftline.yaml").write_text(json.dumps(settings))

    def _until(self, found: Callable[[], object], what: str) -> None:
        try:
            until(lambda: (self._programs.alive(), found())[1], what, READY)
        except TimeoutError as e:
            raise LabError(f"{e}; {self._programs.last_words()}") from e

    def _asked(self, what: str) -> Any:
        try:
            return self._control.get(what)
        except Failure:  # not yet
            return None


@contextmanager
def observed(cluster: Cluster, *, time_scale: float = 1.0) -> Iterator[Product]:
    """Both programs, from their start to their removal."""
    with tempfile.TemporaryDirectory(prefix="driftline-containers-") as folder:
        Path(folder).chmod(0o755)  # the classifier runs as nobody in particular
        product = Product(Path(folder), cluster, time_scale)
        with contextlib.ExitStack() as last:
            last.callback(product.clear)
            product.start()
            yield product
