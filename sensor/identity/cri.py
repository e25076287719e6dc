"""Container ids become pods and their owners, asked of CRI through a process of its own (see cri_child)."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from sensor.identity.facts import Facts, NotYetError, Owners, Pod, SourceError, agent_of
from sensor.identity.names import clean, key
from wire.records import Workload

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1 << 20  # bytes of one answer
PATIENCE = 5.0  # seconds for one answer
START = 60.0  # seconds for the child to begin: gRPC is slow to load where the machine is busy
NO_GRPC = 3  # the child's exit code without the extra


class Cri:
    """One CRI socket. Not for two threads."""

    def __init__(self, socket: str, *, cluster: str, owners: Owners, idle: float) -> None:
        self.socket, self._cluster, self._owners, self._idle = socket, cluster, owners, idle
        self._child: subprocess.Popen | None = None
        self._begun = 0.0  # when the child was started, in monotonic seconds
        self._ready = False  # whether it takes questions
        self._rest = b""
        self._hopeless = False  # no gRPC here: a child for every question would tell us no more

    def fetch(self, container: str) -> Facts | None:
        """What CRI says; None where it does not know the container (yet). Raises SourceError."""
        answer = self._ask(container)
        if "error" in answer:
            raise SourceError(f"{self.socket}: {clean(answer['error'])}")
        return facts_of(answer, self._cluster, self._owners) if answer else None

    def close(self) -> None:
        """Ends the child; a later question starts another."""
        child, self._child, self._rest, self._ready = self._child, None, b"", False
        if child is not None:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()

    def _ask(self, container: str) -> dict:
        for attempt in (1, 2):
            if self._hopeless:
                raise SourceError(f"{self.socket}: no grpcio here; install driftline[cri]")
            try:
                return self._exchange(container)
            except (BrokenPipeError, EOFError) as e:  # an idle child has left: start another, once
                self._hopeless = self._child is not None and self._child.wait() == NO_GRPC
                self.close()
                if attempt == 2:
                    raise SourceError(f"{self.socket}: its reader ended") from e
            except (TimeoutError, ValueError) as e:
                if isinstance(e, TimeoutError) and self._begins():  # ended now, the next one would be as late
                    raise NotYetError(f"{self.socket}: its reader still begins") from e
                self.close()
                raise SourceError(f"{self.socket}: {e}") from e
        raise AssertionError("unreachable")

    def _begins(self) -> bool:
        return not self._ready and time.monotonic() < self._begun + START

    def _exchange(self, container: str) -> dict:
        if self._child is None:
            self._child, self._begun = self._start(), time.monotonic()
        if not self._ready:
            self._said(self._child)
            self._ready = True
        self._child.stdin.write(container.encode() + b"\n")
        return self._said(self._child)

    def _said(self, child: subprocess.Popen) -> dict:
        said = json.loads(self._line(child.stdout.fileno()))
        if not isinstance(said, dict):
            raise ValueError("its reader said no object")
        return said

    def _line(self, fd: int) -> bytes:
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            if not select.select([fd], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"no answer within {PATIENCE:g} s")
            data = os.read(fd, 65536)
            if not data:
                raise EOFError
            self._rest += data
            if len(self._rest) > LONGEST:
                raise ValueError("an answer beyond 1 MiB")
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "sensor.identity.cri_child", self.socket, str(self._idle)]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
        )


def facts_of(answer: dict, cluster: str, owners: Owners) -> Facts:
    """Facts of one answer of cri_child. A sandbox (the pause process) is a container named POD, as the kubelet calls it."""
    if answer.get("sandbox"):
        return _owned(_pod(answer), Facts("cri", name="POD"), cluster, owners)
    pod = _pod(answer.get("pod"))
    facts = Facts("cri", name=clean(answer.get("name")), image=clean(answer.get("image")), agent=agent_of(pod.labels))
    return _owned(pod, replace(facts, revision=clean(answer.get("ref")) or None), cluster, owners)


def _owned(pod: Pod, facts: Facts, cluster: str, owners: Owners) -> Facts:
    """The facts of a container with the owner of its pod."""
    facts = replace(facts, pod=_pod_name(pod))
    owner = owners.owner(pod) if pod.name else None
    if owner is None:
        return replace(facts, basis="owner not told by labels and name")
    workload = Workload(key(cluster, pod.namespace, owner.kind, owner.name, facts.name))
    revision = clean(owner.revision) or facts.revision
    return replace(facts, workload=workload, revision=revision, basis=clean(owner.basis))


def _pod(told: object) -> Pod:
    told = told if isinstance(told, dict) else {}
    labels = told.get("labels") if isinstance(told.get("labels"), dict) else {}
    return Pod(
        clean(told.get("namespace")),
        clean(told.get("name")),
        {k: v for k, v in labels.items() if isinstance(v, str)},
        clean(told.get("uid")),
    )


def _pod_name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}" if pod.name else ""
