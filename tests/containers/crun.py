"""Pods whose containers crun makes, with limits and a seccomp filter: what takes an ordinary kernel, so it runs in a guest.

python -m tests.containers.crun OUT.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.containers import run
from tests.containers.claims import Scene, Work, checked, hold
from tests.containers.cluster import Cluster
from tests.containers.pods import CALLS, HASH, Base, Short, deployed, key
from tests.containers.run import Everything
from tests.containers.said import Said, Seen
from tests.identity.node import Runtime
from wire.syscalls import number

CRUN = Runtime("crun", limits=True)
HIERARCHY = Path("/sys/fs/cgroup")
PODS, AT_ONCE = 6, 3
MEMORY, PROCESSES = 32 << 20, 24  # bytes, number
LIMITS = {"memory_limit_in_bytes": MEMORY, "unified": {"pids.max": str(PROCESSES)}}
KILLED = 137  # the exit code of what signal 9 ended
PERSONALITY = ("/bin/busybox", "linux64", "-R", "/bin/busybox", "true")  # personality(2), which the filter denies


class Limited(Base):
    """One container keeps to its limits, one does not."""

    claim = "limits on memory and processes"

    def act(self, cluster: Cluster) -> str:
        pod = cluster.node.pod(*deployed("limited"), own_network=True)
        name = pod[1].metadata.name
        command = cluster.work(CALLS, 3600, f"{name}/main")
        id_ = cluster.node.container(pod, "main", *command, limits=LIMITS)
        self.works.append(Work(id_, key("limited", "main"), name, CALLS, f"{name}/main"))
        files = {n: (cluster.cgroup(id_) / n).read_text().strip() for n in ("memory.max", "pids.max")}
        cluster.heard(f"{name}/main", CALLS)
        cluster.stop(id_)
        greedy = ("/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", f"bs={2 * MEMORY}", "count=1")
        self.greedy = cluster.node.container(pod, "greedy", *greedy, limits=LIMITS)
        code = cluster.ended(self.greedy)
        cluster.node.remove(pod)
        wanted = {"memory.max": str(MEMORY), "pids.max": str(PROCESSES)}
        if files != wanted or code != KILLED:
            raise RuntimeError(f"limits {files}, not {wanted}; the greedy one ended with {code}, not {KILLED}")
        return (
            f"{CALLS} calls below 32 MiB and {PROCESSES} processes, as its cgroup says; another takes twice the memory"
        )

    def look(self, said: Said) -> str:
        seen = checked(self.works[0], said, revision=HASH)
        signals = {e.data.get("signal") for e in said.of(self.greedy).events if e.kind == "exit"}
        hold(9 in signals, f"signals {signals}")
        return f"{seen.connects} calls of {self.works[0].workload}; the other was killed with signal 9"


class Filtered(Base):
    """One program twice, with the runtime's seccomp filter and without."""

    claim = "a call that the seccomp filter denies"

    def act(self, cluster: Cluster) -> str:
        pod = cluster.node.pod(*deployed("filtered"), own_network=True)
        codes = {}
        for name, filtered in (("with", True), ("without", False)):
            id_ = cluster.node.container(pod, name, *PERSONALITY, filtered=filtered)
            self.works.append(Work(id_, key("filtered", name), pod[1].metadata.name, 0, ""))
            codes[name] = cluster.ended(id_)
        cluster.node.remove(pod)
        if not codes["with"] or codes["without"]:
            raise RuntimeError(f"exit codes {codes}; only the one with the filter was to fail")
        return "personality(2) with the runtime's filter: not permitted; the same without: permitted"

    def look(self, said: Said) -> str:
        denied, allowed = (said.of(work.container) for work in self.works)
        found = [seen.calls[number("personality")] for seen in (denied, allowed)]
        hold(found == [0, 1], f"personality seen {found} times, not 0 and 1")
        hold(_exits(denied) - {0}, f"exit codes {_exits(denied)}")
        return "1 call without the filter; with it none, as docs/probes.md says, and the program's end with its code"


def scenes() -> list[Scene]:
    shared = run.shared("crun")
    return [Short(PODS, AT_ONCE), *shared, Limited(), Filtered(), Everything("crun")]


def _exits(seen: Seen) -> set[int]:
    return {int(e.data.get("code", 0)) for e in seen.events if e.kind == "exit"}


def names() -> dict[str, str]:
    """What was run, each as it says itself."""
    found = {name: f"{name} {_version(name)}" for name in ("crun", "containerd")}
    return {"kernel": os.uname().release, "runtime": found["crun"], "containerd": found["containerd"]}


def _version(program: str) -> str:
    """The third word: `crun version 1.8.1`, `containerd github.com/containerd/containerd 1.6.20 …`."""
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]


def main(out: str) -> None:
    (HIERARCHY / "cgroup.subtree_control").write_text("+cpu +memory +pids")
    # What asks CRI begins with the first container that is seen, and takes longer under emulation than a short pod lives.
    known_first = frozenset({key("older", "main")})
    rows = run.acted(scenes(), lambda stage: print(f"@@ {stage}", flush=True), CRUN, known_first)
    Path(out).write_text(json.dumps({"names": names(), "pods": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
