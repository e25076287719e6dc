"""A real `driftline sensor` process over probes of this run, with a receiver that keeps nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import yaml

from bench.stage import Stage
from sensor.probes import client
from sensor.settings import SensorSettings
from wire.receiver import Receiver
from wire.records import Event, Head, Record, Window

ROOT = Path(__file__).resolve().parents[1]


class Daemon:
    """Runs from its construction to `close`."""

    def __init__(self, stage: Stage, settings: SensorSettings, more: dict[str, dict] | None = None) -> None:
        self.kinds: dict[str, int] = {}
        self.events: Counter[str] = Counter()  # by kind; of calls also those that are whole, of coverage by rung
        self.losses: Counter[str] = Counter()  # of all windows
        self.calls: Counter[tuple[int, int | None]] = (
            Counter()
        )  # (cgroup, number of the call) → how often, of all windows
        self.lost_by: Counter[int] = Counter()  # cgroup → what was lost, all reasons together
        self._begun = threading.Event()
        self._ending = False
        socket = stage.folder / f"{settings.name}.sock"
        self._receiver = Receiver(socket)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()
        scope = "/" + str(settings.scope.relative_to(client.cgroup_root()))
        config = stage.folder / f"{settings.name}.yaml"
        said = {"name": settings.name, "scope": scope, "run_dir": str(settings.run_dir), "socket": str(socket)}
        more = more or {}
        sections = {"run_dir": str(stage.folder), "state_dir": str(stage.folder)}
        config.write_text(yaml.safe_dump(sections | more | {"sensor": said | more.get("sensor", {})}))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "console.cli.main", "--config", config, "sensor"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=(stage.folder / f"{settings.name}.log").open("w"),
        )
        if not self._begun.wait(60):
            raise RuntimeError((stage.folder / f"{settings.name}.log").read_text())

    def _receive(self) -> None:
        while not self._ending:
            for delivery in self._receiver.poll(0.2):
                for frame in delivery.frames:
                    kind = type(frame.record).__name__
                    self.kinds[kind] = self.kinds.get(kind, 0) + 1
                    self._note(frame.record)
                    if isinstance(frame.record, Head):
                        self._begun.set()
                self._receiver.ack(delivery)

    def _note(self, record: Record) -> None:
        if isinstance(record, Window):
            self.losses.update(record.loss)
            self.calls.update({(record.replica.cgroup, number): n for number, n in record.syscalls.items()})
            self.lost_by[record.replica.cgroup] += sum(record.loss.values())
        elif isinstance(record, Event):
            self.events[record.kind] += 1
            if record.kind == "llm" and not record.data.get("partial"):
                self.events["llm: whole"] += 1
            elif record.kind == "coverage":
                self.events[f"coverage: {record.data.get('rung')}"] += 1

    def cpu(self) -> float:
        """Seconds of CPU that it has used, in all its threads."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e9

    def memory(self) -> dict[str, float]:
        """MB resident, and what of it are pages of the kernel's own tables that it looks at."""
        found = {"resident": 0.0, "kernel tables": 0.0}
        mapping = ""
        for line in Path(f"/proc/{self._process.pid}/smaps").read_text().splitlines():
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                mapping = line
            elif words[0] == "Rss:":
                found["resident"] += int(words[1]) / 1024
                found["kernel tables"] += int(words[1]) / 1024 if "bpf-map" in mapping else 0.0
        return {k: round(v, 2) for k, v in found.items()}

    def share(self, seconds: float) -> float:
        """Percent of a core that it takes from now on."""
        used, begun = self.cpu(), time.monotonic()
        time.sleep(seconds)
        return 100 * (self.cpu() - used) / (time.monotonic() - begun)

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, 15)
        self._process.wait(30)
        self._ending = True
        self._thread.join()
        self._receiver.close()
