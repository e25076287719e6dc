"""Sensor and classifier as a user runs them, two programs with one configuration, observing the pods of one node.

What they said is read as a user may: asked of the running classifier, and in the trace that it keeps of every accepted record.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from console.cli.control import Control
from console.cli.failure import Failure
from console.supervise import unprivileged, user_ids
from sensor.probes import client, pins
from sensor.settings import SensorSettings
from tests.containers.cluster import Cluster, until
from tests.identity.node import PACE
from wire.records import Record
from wire.trace import read

INTERVAL = 1.0  # seconds of a window
READY = 90.0 * PACE  # seconds for a program to begin or to end
PATIENCE = (
    60.0  # seconds that a record waits for its owner: 5 as shipped, more here, for a machine that does other things too
)


class ProductError(RuntimeError):
    """A program of driftline ended or did not answer; the text has its last words."""


class Product:
    """Both programs. `stop` ends them in order, so that everything observed is in the trace."""

    def __init__(self, folder: Path, cluster: Cluster, time_scale: float) -> None:
        self.name = f"containers-{os.getpid()}"  # one at a time
        self.folder, self.trace = folder, folder / "state/all.trace"
        self._control = Control(str(folder / "run/control.sock"))
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._settings = SensorSettings(name=self.name, run_dir=folder / "sensor")
        self._configure(cluster, time_scale)

    def start(self) -> None:
        """Both programs run, and every probe is on."""
        uid, gid = user_ids(None)
        for name in ("run", "state"):
            (self.folder / name).mkdir(mode=0o750)
            os.chown(self.folder / name, uid, gid)
        driftline = [sys.executable, "-m", "console.cli.main", "--config", str(self.folder / "driftline.yaml")]
        self._launch("classifier", unprivileged([*driftline, "classifier"], (uid, gid)))
        self._until(lambda: self._asked("health"), "the classifier")
        self._launch("sensor", [*driftline, "sensor"])
        self._until(lambda: (self._asked("health") or {}).get("sensors"), "the sensor")
        off = {name: why for name, why in self.probes().items() if why != "on"}
        if off:
            raise ProductError(f"probes are off: {off}")

    def settle(self, workloads: set[str]) -> None:
        """Until the classifier knows all of them, so that no owner is still being asked for."""
        self._until(lambda: workloads <= {row["workload"] for row in self.rows("workloads")}, "all workloads")

    def stop(self) -> None:
        """The sensor first; the classifier when it has taken everything that the sensor sent."""
        self._end("sensor")
        self._until(lambda: (self._asked("health") or {}).get("sensors") == [], "the last records")
        self._end("classifier")

    def clear(self) -> None:
        """Nothing of it stays in the kernel, whatever happened before."""
        for name in list(self._programs):
            self._end(name)
        client.unload(self._settings)
        if left := [p.name for p in pins.BPFFS.glob(f"{pins.folder(self.name).name}*")]:
            raise ProductError(f"left in the kernel: {left}")

    def probes(self) -> dict[str, str]:
        return json.loads((self.folder / f"sensor/{self.name}.json").read_text())["probes"]

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
                "cri_sockets": [node.socket],
                "docker_sockets": [],
                "podman_sockets": [],
                "roots": [f"/{node.cgroup.name}"],
            },
        }
        (self.folder / "driftline.yaml").write_text(json.dumps(settings))

    def _launch(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._programs[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )

    def _end(self, name: str) -> None:
        program = self._programs.pop(name, None)
        if program is None:
            return
        program.terminate()
        try:
            program.wait(READY)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    def _until(self, found: Callable[[], object], what: str) -> None:
        try:
            until(lambda: self._alive() and found(), what, READY)
        except TimeoutError as e:
            raise ProductError(f"{e}; {self._last_words()}") from e

    def _alive(self) -> bool:
        for name, program in self._programs.items():
            if program.poll() is not None:
                raise ProductError(f"the {name} ended with {program.returncode}; {self._last_words()}")
        return True

    def _last_words(self) -> str:
        logs = {p.stem: p.read_text(errors="replace").strip().splitlines()[-1:] for p in self.folder.glob("*.log")}
        return "; ".join(f"{name} said: {lines[0][:300]}" for name, lines in sorted(logs.items()) if lines) or "no log"

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
