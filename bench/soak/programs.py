"""Sensor and classifier as a user runs them: two programs, one configuration, a state folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.soak.field import NAME, WORKLOADS, Field
from console.cli.control import Control
from console.cli.failure import Failure
from console.supervise import bound, unprivileged, user_ids
from sensor.probes import client, pins
from sensor.settings import SensorSettings

ROOT = Path(__file__).resolve().parents[2]
READY = 120.0  # seconds for a program to begin or to end
INTERVAL = 10.0  # seconds of a window, as shipped
WORKLOAD = "soak/shop/Deployment/{app}/{app}"


class ProgramError(RuntimeError):
    """A program of driftline ended or does not answer; the text has its last words."""


class Programs:
    """Both, from `start` to `stop`; `clear` takes out of the kernel what a killed one has left there."""

    def __init__(self, folder: Path, field: Field) -> None:
        self.name = f"soak-{os.getpid()}"
        self.folder, self.trace = folder, folder / "state/all.trace"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
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
        uid, gid = user_ids(None)
        for name in ("run", "state"):
            (self.folder / name).mkdir(mode=0o750)
            os.chown(self.folder / name, uid, gid)
        driftline = [sys.executable, "-m", "console.cli.main", "--config", str(self.folder / "driftline.yaml")]
        self._launch("classifier", unprivileged([*driftline, "classifier"], (uid, gid)))
        self._until(lambda: self.asked("health"), "the classifier")
        self._launch("sensor", bound([*driftline, "sensor"]))
        self._until(lambda: (self.asked("health") or {}).get("sensors"), "the sensor")
        if off := {name: why for name, why in self.probes().items() if why != "on"}:
            raise ProgramError(f"probes are off: {off}")

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

    def check(self) -> None:
        """Raises ProgramError where one has ended."""
        for name, program in self.running.items():
            if program.poll() is not None:
                raise ProgramError(f"the {name} ended with {program.returncode}; {self.last_words()}")

    def stop(self) -> None:
        """The sensor first; the classifier when it has taken everything that the sensor sent."""
        self._end("sensor")
        if "classifier" in self.running:
            self._until(lambda: (self.asked("health") or {}).get("sensors") == [], "the last records")
        self._end("classifier")

    def clear(self) -> list[str]:
        """Ends both; what stays in the kernel nevertheless."""
        for name in list(self.running):
            self._end(name)
        client.unload(self._settings)
        return [p.name for p in pins.BPFFS.glob(f"{pins.folder(self.name).name}*")]

    def _launch(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, name: str) -> None:
        program = self.running.pop(name, None)
        if program is None:
            return
        program.terminate()
        try:
            program.wait(READY)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    def _until(self, found: Callable[[], object], what: str) -> None:
        end = time.monotonic() + READY
        while time.monotonic() < end:
            self.check()
            if found():
                return
            time.sleep(0.2)
        raise ProgramError(f"waited {READY:g} s for {what}; {self.last_words()}")

    def last_words(self) -> str:
        """The last line of each log."""
        logs = {p.stem: p.read_text(errors="replace").strip().splitlines()[-1:] for p in self.folder.glob("*.log")}
        return "; ".join(f"{name} said: {lines[0][:300]}" for name, lines in sorted(logs.items()) if lines) or "no log"
