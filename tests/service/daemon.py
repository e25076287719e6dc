"""A classifier as a process of its own, and what a person or a sensor does with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from console.cli.control import UnixConnection
from tests.waiting import DEADLINE, until
from wire.bus import Sender

PROGRAM = """
import json, sys
from pathlib import Path
from classifier.policy import DAY, Policy
from classifier.service import Service
from classifier.settings import ClassifierSettings, HttpLimits, OtlpLimits, Retention
told = json.loads(sys.argv[1])
for name in ("state_dir", "socket_path", "control_path", "trace_path", "keys_file", "folder"):
    told[name] = Path(told[name]) if told.get(name) else None
for name in ("http_address", "metrics_address", "otlp_address"):
    told[name] = tuple(told[name]) if told.get(name) else None
told["retention"], told["http"] = Retention(**told.get("retention", {})), HttpLimits(**told.get("http", {}))
told["otlp"] = OtlpLimits(**told.get("otlp", {}))
sys.exit(Service(ClassifierSettings(policy=Policy().scaled(DAY), **told)).run())
"""


def free_address():
    """A loopback address that only this process uses, and a port of it: nobody takes it before the daemon does."""
    pid = os.getpid()  # of at most 22 bits
    host = f"127.{64 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"
    with socket.create_server((host, 0)) as probe:
        return probe.getsockname()


@dataclass
class Daemon:
    """Settings and, once started, the process."""

    folder: Path
    told: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    process: subprocess.Popen | None = None
    prefix: list = field(default_factory=list)  # a command that runs it somewhere else, such as in a network namespace

    @property
    def socket(self):
        return self.folder / "classifier.sock"

    @property
    def log(self):
        return (self.folder / "log").read_text()

    def settings(self):
        places = {"state_dir": "state", "socket_path": "classifier.sock", "control_path": "control.sock"}
        base = {name: str(self.folder / place) for name, place in places.items()} | {"systemd": None}
        return {k: str(v) if isinstance(v, Path) else v for k, v in (base | self.told).items()}

    def start(self, *, wait=True):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-c", PROGRAM, json.dumps(self.settings())],
                stderr=log,
                env=os.environ | self.environment,
                cwd=Path(__file__).parents[2],
            )
        if wait:
            self.until(self.answers)
        return self

    def answers(self):
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def until(self, done):
        try:
            until(lambda: self._alive() and done(), seconds=DEADLINE)
        except TimeoutError as e:
            raise TimeoutError(f"{e}\n{self.log}") from e

    def _alive(self):
        assert self.process.poll() is None, f"it ended with {self.process.returncode}\n{self.log}"
        return True

    def get(self, url):
        return self.ask("GET", url)

    def ask(self, method, url, body=None):
        connection = UnixConnection(str(self.folder / "control.sock"), DEADLINE)
        try:
            connection.request(method, quote(url, safe="/%?=&"), None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def sender(self, **options):
        return Sender(self.socket, node="n1", **options)

    def send(self, records, sender=None):
        """Everything accepted and fed."""
        sender = sender or self.sender()
        for record in records:
            sender.send(record)
        assert sender.pump(DEADLINE), sender.error
        self.get("/findings")  # waits for the lock that feeding holds
        return sender

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)
