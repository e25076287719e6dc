"""What was there before the probes: processes of observed cgroups and their open sockets. Prints JSON and exits.

A process of its own, because pyroute2 and psutil would stay in the daemon's memory for good. Only processes of the cgroup
directories that are given are looked at; sockets are read from the network namespace of each of them.

    python -m sensor.observe.existing CGROUP_DIRECTORY…
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
LISTEN = 10  # enum tcp_state, include/net/tcp_states.h


def main(directories: list[str]) -> int:
    found = {d: snapshot(Path(d)) for d in directories}
    print(json.dumps(found))
    return 0


def snapshot(directory: Path) -> dict[str, Any]:
    """Processes and sockets of one cgroup: {"processes": [...], "sockets": [...]}."""
    pids = _pids(directory)
    processes = [p for pid in pids if (p := process(pid)) is not None]
    owners = {inode: p["pid"] for p in processes for inode in p.pop("inodes")}
    spaces = {_namespace(p["pid"]): p["pid"] for p in processes}
    sockets = [s for pid in spaces.values() for s in _sockets(pid) if s["inode"] in owners]
    for s in sockets:
        s["pid"] = owners[s["inode"]]
    return {"processes": processes, "sockets": sockets}


def _pids(directory: Path) -> list[int]:
    try:
        return [int(p) for p in (directory / "cgroup.procs").read_text().split()]
    except OSError:  # it is gone, or a threaded cgroup, whose processes its domain lists
        return []


def process(pid: int) -> dict[str, Any] | None:
    """Executable, parent and socket inodes of a process; None where it is gone."""
    import psutil

    try:
        p = psutil.Process(pid)
        with p.oneshot():
            row = {"pid": pid, "ppid": p.ppid(), "exe": p.exe(), "started": p.create_time()}
        return row | {"inodes": _socket_inodes(pid)}
    except (psutil.Error, OSError):  # it ended while we looked
        return None


def _socket_inodes(pid: int) -> list[int]:
    inodes = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:  # closed while we looked
            continue
        if target.startswith("socket:["):
            inodes.append(int(target[8:-1]))
    return inodes


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def _sockets(pid: int) -> list[dict[str, Any]]:
    """inet_diag of a process's network namespace; this process moves there for good, it has nothing else to do."""
    from pyroute2.netlink.diag import DiagSocket

    try:
        with open(f"/proc/{pid}/ns/net") as f:
            ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET)
        with DiagSocket() as diag:
            diag.bind()
            kinds = (
                (f, p) for f in (socket.AF_INET, socket.AF_INET6) for p in (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
            )
            return [_socket(row, p) for f, p in kinds for row in diag.get_sock_stats(family=f, protocol=p)]
    except OSError:  # the process and its namespace are gone
        return []


def _socket(row: Any, protocol: int) -> dict[str, Any]:
    return {
        "inode": row["idiag_inode"],
        "cookie": row["idiag_cookie"],
        "protocol": protocol,
        "listens": row["idiag_state"] == LISTEN,
        "local": [row["idiag_src"], row["idiag_sport"]],
        "peer": [row["idiag_dst"], row["idiag_dport"]],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
