"""A node of containers without a daemon: runc, an overlay for each root, a network namespace for each, nothing left behind.

One shell holds the node's mount and network namespaces; everything else enters them. Its cgroups are those below one that this
process made. When the shell's input closes, by our end or by a kill, it ends, and with it all mounts and interfaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sensor.probes import client
from tests.kernel.lab import remove

PROGRAMS = {"runc": "runc", "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount"}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
SERVER = "10.99.0.1"  # inside the node's network namespace
HOST = "model.driftline.test"
SECONDS = 60.0  # for a machine that does other things too

HOLD = f"""
mount -t tmpfs tmpfs /run && mkdir /run/netns /run/box
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
ip address add {SERVER}/32 dev lo
echo ready
cat >/dev/null
"""


class NodeError(RuntimeError):
    """A container could not be started; the text says why."""


def missing() -> str:
    """What this machine lacks; "" for nothing."""
    if os.geteuid():
        return "root"
    absent = sorted({package for program, package in PROGRAMS.items() if shutil.which(program, path=PATH) is None})
    return f"Debian packages {', '.join(absent)}" if absent else ""


@dataclass
class Talker:
    """A program that answers on its output and ends with its input."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        """Its next one; "" when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, text: str = "") -> None:
        assert self.process.stdin is not None
        print(text, file=self.process.stdin, flush=True)

    def end(self, seconds: float = SECONDS) -> None:
        """Raises TimeoutExpired."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it ended before
            self.process.stdin.close()
        self.process.wait(seconds)


@dataclass
class Box(Talker):
    """One container: its cgroup, and `runc run` in the foreground, whose input and output are the program's."""

    name: str
    cgroup: Path

    @cached_property
    def id(self) -> int:
        """Of its cgroup; asked while that is there."""
        return self.cgroup.stat().st_ino

    def pids(self) -> set[int]:
        """As the host counts."""
        with contextlib.suppress(OSError):  # it has ended
            return set(map(int, (self.cgroup / "cgroup.procs").read_text().split()))
        return set()

    def end(self, seconds: float = 5.0) -> None:
        """Its program ends with its input, or is killed."""
        try:
            super().end(seconds)
        except subprocess.TimeoutExpired:
            (self.cgroup / "cgroup.kill").write_text("1")
            super().end()


@dataclass
class Node:
    """A running node."""

    folder: Path
    cgroup: Path  # of all its containers
    holder: subprocess.Popen[str]
    boxes: list[Box] = field(default_factory=list)

    def command(self, *words: str | Path, mounts: bool = True) -> list[str]:
        """A command inside the node's network and, unless it belongs to this tree, its mounts."""
        own = ["-m"] if mounts else []
        return ["nsenter", "-t", str(self.holder.pid), "-n", *own, "--", *map(str, words)]

    def run(self, *words: str | Path) -> None:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, env=os.environ | {"PATH": PATH}, timeout=SECONDS
        )
        if done.returncode:
            raise NodeError(f"{' '.join(map(str, words))}: {done.stderr.strip()[-500:]}")

    def start(
        self, name: str, argv: Sequence[str], *, files: Path, trees: Mapping[str, str], environment: Mapping[str, str]
    ) -> Box:
        """A container that runs a program.

        Args:
            files: Folder that it sees as /work.
            trees: Folder in the container → folder of this machine, each as the lower layer of an overlay.
        """
        bundle = f"/run/box/{name}"
        self._network(name, len(self.boxes) + 2)
        self._root(bundle, files, trees)
        spec = _spec(name, argv, f"{self.cgroup.relative_to(client.cgroup_root())}/{name}", environment)
        here = self.folder / f"{name}.json"
        here.write_text(json.dumps(spec))
        self.run("cp", here, f"{bundle}/config.json")
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                self.command("runc", "--root", "/run/runc", "run", "--bundle", bundle, f"{self.cgroup.name}-{name}"),
                **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log},
                text=True,
                env=os.environ | {"PATH": PATH},
            )
        box = Box(process, name, self.cgroup / name)
        self.boxes.append(box)
        return box

    def box(self, name: str) -> Box:
        """One that was started."""
        return next(b for b in self.boxes if b.name == name)

    def log(self, name: str) -> str:
        """Last words of a container."""
        return (self.folder / f"{name}.log").read_text(errors="replace").strip()[-500:]

    def _network(self, name: str, number: int) -> None:
        """One cable between the node and the container's namespace; the node answers for its address on all of them."""
        own, address = f"v{number}", f"10.99.0.{number}"
        inside = ("ip", "-n", name)
        for words in (
            ("ip", "netns", "add", name),
            ("ip", "link", "add", own, "type", "veth", "peer", "name", "eth0", "netns", name),
            ("ip", "link", "set", own, "up"),
            ("ip", "route", "add", f"{address}/32", "dev", own, "src", SERVER),
            (*inside, "address", "add", f"{address}/24", "dev", "eth0"),
            (*inside, "link", "set", "lo", "up"),
            (*inside, "link", "set", "eth0", "up"),
        ):
            self.run(*words)

    def _root(self, bundle: str, files: Path, trees: Mapping[str, str]) -> None:
        root = f"{bundle}/rootfs"
        lines = ["set -e", f"mkdir -p {root}/etc {root}/proc {root}/dev {root}/tmp {root}/work"]
        lines += [f"echo '{SERVER} {HOST}' > {root}/etc/hosts", f"echo 'hosts: files' > {root}/etc/nsswitch.conf"]
        for number, (inside, lower) in enumerate(sorted(trees.items())):
            layers = f"{bundle}/layer{number}"
            lines.append(f"mkdir -p {layers}/upper {layers}/work {root}{inside}")
            options = f"lowerdir={lower},upperdir={layers}/upper,workdir={layers}/work"
            lines.append(f"mount -t overlay overlay -o {options} {root}{inside}")
        for link in ("bin", "lib", "lib32", "lib64", "sbin"):
            if os.path.islink(f"/{link}"):
                lines.append(f"ln -s {os.readlink(f'/{link}')} {root}/{link}")
        lines.append(f"mount --bind {files} {root}/work")
        self.run("sh", "-c", "\n".join(lines))


def _spec(name: str, argv: Sequence[str], cgroup: str, environment: Mapping[str, str]) -> dict:
    """What runc is to make: namespaces of its own, no capability."""
    mounts = [("/proc", "proc", "proc", []), ("/dev", "tmpfs", "tmpfs", ["nosuid", "mode=755"])]
    own = [{"type": t} for t in ("pid", "mount", "ipc", "uts", "cgroup")]
    network = {"type": "network", "path": f"/run/netns/{name}"}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(argv),
            "env": [f"{k}={v}" for k, v in ({"PATH": "/usr/bin:/bin"} | dict(environment)).items()],
            "cwd": "/",
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "hostname": name,
        "mounts": [{"destination": d, "type": t, "source": s, "options": o} for d, t, s, o in mounts],
        "linux": {"cgroupsPath": f"/{cgroup}", "namespaces": [*own, network]},
    }


@contextmanager
def started(folder: Path) -> Iterator[Node]:
    """A node; nothing of it is left afterwards, whatever happens."""
    cgroup = client.cgroup_root() / f"driftline-clients-{os.getpid()}"
    cgroup.mkdir()
    holder = subprocess.Popen(
        ["unshare", "-m", "-n", "--propagation", "private", "--", "sh", "-ec", HOLD],
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT},
        text=True,
        env=os.environ | {"PATH": PATH},
    )
    node = Node(folder, cgroup, holder)
    try:
        if (said := holder.stdout.readline().strip()) != "ready":
            raise NodeError(f"no namespaces for a node: {said}")
        yield node
    finally:
        for box in node.boxes:
            box.end()
        holder.stdin.close()
        holder.wait(SECONDS)
        remove(cgroup)
