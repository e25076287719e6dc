"""Requests of a guest to what came of them: compiles on this machine, one after the other, for as long as the guest runs."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"  # the one that the distribution's bcc is built for
SECONDS = 240  # for one compile, on a machine that does other things too


class Compiler:
    """Answers at a guest's port; `close` when the guest is gone."""

    def __init__(self, path: Path) -> None:
        self.count = 0  # programs compiled
        self._path, self._over = path, threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(SECONDS)

    def _serve(self) -> None:
        with socket.socket(socket.AF_UNIX) as port:
            if not self._connected(port):
                return
            with port.makefile("rwb") as lines:
                try:
                    for line in lines:
                        lines.write(answer(line).encode() + b"\n")
                        lines.flush()
                        self.count += 1
                except OSError:  # the guest was ended meanwhile
                    return

    def _connected(self, port: socket.socket) -> bool:
        while not self._over.is_set():
            try:
                port.connect(str(self._path))
                return True
            except OSError:  # qemu has not made it yet
                time.sleep(0.1)
        return False


def answer(line: bytes) -> str:
    """A line of JSON for a line of JSON, whatever stands in it."""
    try:
        request = json.loads(line)
        return json.dumps(_run(request) | {"id": request["id"]})
    except (ValueError, KeyError, TypeError) as e:  # half a line, of a program that was killed while it asked
        return json.dumps({"id": None, "error": f"not a request: {e}"})


def _run(request: dict) -> dict:
    command = [PYTHON, "-m", "tests.vm.compile"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, cwd=ROOT, timeout=SECONDS
        )
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"the compile took longer than {SECONDS} s"}
    except ValueError:
        return {"error": f"the compiler ended with {done.returncode}: {done.stderr[-300:]}"}
