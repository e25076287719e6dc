"""Sensor and classifier as a user runs them: two programs, one configuration, a state folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.soak.field import NAME, WORKLOADS, Field
from console.cli.control import Control
from console.cli.failure import Failure
from console.demo import programs
from console.supervise import bound
from sensor.probes import client, pins
from sensor.settings import SensorSettings

READY = 120.0  # seconds for a program to begin or to end
INTERVAL = 10.0  # seconds of a window, as shipped
WORKLOAD = "soak/shop/Deployment/{app}/{app}"


class Programs(programs.Programs):
    """Both, from `start` to `stop`; `clear` takes out of the kernel what a killed one has left there."""

    def __init__(self, folder: Path, field: Field) -> None:
        super().__init__(folder, apart=True)
        self.name = f"soak-{os.getpid()}"
        self.folder, self.trace = folder, folder / "state/all.trace"
        self._control = Control(str(folder / "run/control.sock"))
        self._settings = SensorSettings(name=self.name, run_dir=folder / "sensor")
        self._configure(field)

    def _configure(self, field: Field) -> None:
        """Everything as shipped but names and places. JSON is YAML."""
        below = f"/{field.base.name}/{field.scope.name}/(?P<app>[^/]+)/(?P<rev>rev[0-9]+)-[^/]+"
        settings = {
            "node": "soak",
            "run_dir": str(self.folder / "run"),
            "state_dir": str(self.folder / "state"),
            "sensor": {
                "name": self.name,
                "scope": "/" + str(field.scope.relative_to(client.cgroup_root())),
                "run_dir": str(self._settings.run_dir),
                "interval": INTERVAL,
                "keep_pinned": False,
            },
            "classifier": {"trace": str(self.trace)},
            "identity": {"rules": [{"match": below, "workload": WORKLOAD, "revision": "{rev}"}]},
        }
        (self.folder / "driftline.yaml").write_text(json.dumps(settings))

    def start(self) -> None:
        """Both run, and every probe is on."""
        commands = programs.driftline(self.folder / "driftline.yaml")
        self.launch("classifier", commands["classifier"])
        self._until(lambda: self.asked("health"), "the classifier")
        self.launch("sensor", bound(commands["sensor"]))
        self._until(lambda: (self.asked("health") or {}).get("sensors"), "the sensor")
        if off := {name: why for name, why in self.probes().items() if why != "on"}:
            raise programs.LabError(f"probes are off: {off}")

    def probes(self) -> dict[str, str]:
        return json.loads((self.folder / f"sensor/{self.name}.json").read_text())["probes"]

    def pins(self) -> Path:
        return pins.folder(self.name)

    def asked(self, what: str) -> Any:
        """An answer of the classifier; None: it gives none."""
        try:
            return self._control.get(what)
        except Failure:
            return None

    def settle(self, step: Callable[[], None]) -> None:
        """Until the classifier knows all workloads; meanwhile `step` is taken."""
        names = {WORKLOAD.format(app=NAME.format(i)) for i in range(WORKLOADS)}

        def known() -> bool:
            step()
            return names <= {row["workload"] for row in self.rows("workloads")}

        self._until(known, "all workloads")

    def rows(self, what: str) -> list[dict[str, Any]]:
        found = self.asked(what) or []
        return found if isinstance(found, list) else found[what]

    def stop(self) -> None:
        """The sensor first; the classifier when it has taken everything that the sensor sent."""
        self.end("sensor", READY)
        if "classifier" in self.pids():
            self._until(lambda: (self.asked("health") or {}).get("sensors") == [], "the last records")
        self.end("classifier", READY)

    def clear(self) -> list[str]:
        """Ends both; what stays in the kernel nevertheless."""
        for name in self.pids():
            self.end(name, READY)
        client.unload(self._settings)
        return [p.name for p in pins.BPFFS.glob(f"{pins.folder(self.name).name}*")]

    def _until(self, found: Callable[[], object], what: str) -> None:
        end = time.monotonic() + READY
        while time.monotonic() < end:
            self.alive()
            if found():
                return
            time.sleep(0.2)
        raise programs.LabError(f"waited {READY:g} s for {what}; {self.last_words()}")
