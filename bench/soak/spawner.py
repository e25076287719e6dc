"""Starts loads, each born in its cgroup and in one network namespace, and says what the kernel accounted to those that ended."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("load.c")
PAGE_FD = 3
CALIBRATION = 64  # a seat that is none
DEADLINE = 60.0  # seconds


class LoadError(RuntimeError):
    """A load that cannot be made, started or ended as it should; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A replica's first process, with what the kernel accounted to it and to all its children."""

    seat: int
    pid: int
    reads: int  # syscr
    writes: int  # syscw
    status: int


def compiled(folder: Path) -> Path:
    """The load's program."""
    program = folder / "load"
    done = subprocess.run(["gcc", "-O2", "-static", "-o", program, SOURCE], capture_output=True, text=True)
    if done.returncode:
        raise LoadError(f"load.c does not compile: {done.stderr[-300:]}; run `make setup-test`")
    return program


class Spawner:
    """One process, out of the sensor's scope. When it goes, so do its loads.

    Args:
        program: As `compiled` made it.
        page: Descriptor of the page of counts.
        files: Folder that the loads read and write in.
    """

    def __init__(self, program: Path, page: int, files: Path) -> None:
        self._files, self._rest = files, b""
        self._events: list[tuple[str, list[int]]] = []

        def give() -> None:
            os.dup2(page, PAGE_FD)

        # A session of its own: Ctrl-C reaches the soak alone, which ends the loads in order.
        self._process = subprocess.Popen(
            [program, "spawn"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=give,
            pass_fds=(PAGE_FD,),
            start_new_session=True,
            env={},
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self.wait(lambda what, _: what == "ready")

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, seat: int, cgroup: Path, *, what: str = "work") -> int:
        """The replica's pid.

        Raises:
            LoadError: The kernel refuses.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {seat} {cgroup} {self._files}\n".encode())
        self._process.stdin.flush()
        verb, numbers = self.wait(lambda verb, n: verb in ("started", "refused") and n[0] == seat)
        if verb == "refused":
            raise LoadError(f"no load in {cgroup}: {os.strerror(numbers[1])}")
        return numbers[1]

    def ended(self) -> list[Ended]:
        """Who has ended since the last time."""
        self._read()
        found = [Ended(*numbers) for verb, numbers in self._events if verb == "ended"]
        self._events = [e for e in self._events if e[0] != "ended"]
        return found

    def wait(self, wanted: Callable[[str, list[int]], bool]) -> tuple[str, list[int]]:
        """The first answer of this kind; others are kept."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and self._process.poll() is None:
            self._read()
            for i, event in enumerate(self._events):
                if wanted(*event):
                    return self._events.pop(i)
            time.sleep(0.002)
        raise LoadError(f"the spawner of loads does not answer (ended with {self._process.poll()})")

    def _read(self) -> None:
        assert self._process.stdout is not None
        while new := self._process.stdout.read(65536):
            *lines, self._rest = (self._rest + new).split(b"\n")
            self._events += [(verb, list(map(int, numbers))) for verb, *numbers in (x.decode().split() for x in lines)]

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
