"""A loader that exits to the descriptors of what it loaded: starts it, hands it a plan, takes them over a socket."""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

from sensor.probes import client


def plan_for(scope: Path, *, chunk_pages: int, workloads: int) -> dict:
    """What the loaders of optional programs are told."""
    base, scope = client.cgroup_root(), scope.resolve()
    return {
        "scope_cgroup": scope.stat().st_ino,
        "scope_level": len(scope.relative_to(base).parts),
        "chunk_pages": chunk_pages,
        "workloads": workloads,
    }


def descriptors(module: str, plan: dict, names: tuple[str, ...], source: str) -> dict[str, int]:
    """Name → descriptor, in the order in which the loader sends them.

    Raises:
        ProbeError: It cannot be loaded; the text says why.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(
            [client.PYTHON, "-m", module, str(theirs.fileno())],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE},
            **{"cwd": client.ROOT, "pass_fds": [theirs.fileno()]},
        )
        theirs.close()
        try:
            _, said = child.communicate(json.dumps(plan).encode(), timeout=client.TIMEOUT)
        except subprocess.TimeoutExpired as e:
            child.kill()
            child.communicate()
            raise client.ProbeError(f"compiling {source} took longer than {client.TIMEOUT} s") from e
        return dict(zip(names, _received(ours, said, len(names), source), strict=True))


def _received(ours: socket.socket, said: bytes, count: int, source: str) -> list[int]:
    data, fds, _, _ = socket.recv_fds(ours, 65536, count)
    with contextlib.suppress(json.JSONDecodeError):
        answer = json.loads(data)
        if len(fds) == count and "error" not in answer:
            return list(array.array("i", fds))
        said = str(answer.get("error", "")).encode() + b"\n" + said
    for fd in fds:
        os.close(fd)
    last = said.decode(errors="replace").strip().splitlines()
    raise client.ProbeError(f"cannot load {source}: {last[0] if last else 'the loader died'}")
