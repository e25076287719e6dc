"""A node for pods that do known work: a peer that counts what reaches it, restarts, `exec`, containers that end."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pyroute2 import IPRoute

from tests import waiting
from tests.identity import node as nodes
from tests.identity.node import RUNC, Node, Runtime
from tests.waiting import DEADLINE

CLONE_NEWNET = 0x40000000
PLUGINS = ("bridge", "host-local", "loopback")
PEER, NEWCOMER, STRANGER = "10.99.0.1", "10.99.0.2", "10.99.0.66"  # in the node's network, which is nobody else's
PORT = 9000
LOOK = 0.05  # seconds between two looks, which take time from who is looked at
EXITED = 2  # CRI's CONTAINER_EXITED
T = TypeVar("T")


def missing() -> str:
    """What this machine lacks; "" for nothing."""
    absent = [p for p in PLUGINS if not Path(nodes.PLUGINS, p).exists()]
    tools = [p for p in ("gcc",) if shutil.which(p) is None]
    network = [f"{', '.join(absent)} in {nodes.PLUGINS} (Debian package containernetworking-plugins)"] if absent else []
    return ", ".join(filter(None, [nodes.missing(), *tools, *network]))


def until(found: Callable[[], T], what: str, seconds: float = DEADLINE) -> T:
    """As everywhere, with the patience that this machine asks for."""
    return waiting.until(found, what, seconds=seconds, pause=LOOK)


class Peer:
    """Counts connections by the word that they bring. Its socket lies in a network namespace, its thread need not."""

    def __init__(self, pid: int) -> None:
        self.words: Counter[str] = Counter()
        self.callers: dict[str, str] = {}  # word → address of who brought it last
        self._listener: socket.socket | None = None
        maker = threading.Thread(target=self._listen, args=(pid,))  # a namespace is entered by a thread alone
        maker.start()
        maker.join()
        if self._listener is None:
            raise RuntimeError(f"no peer in the network of process {pid}")
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._listener.close()

    def _listen(self, pid: int) -> None:
        with open(f"/proc/{pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns to the network of process {pid}")
        with IPRoute() as ip:
            lo = ip.link_lookup(ifname="lo")[0]
            ip.link("set", index=lo, state="up")
            for address in (PEER, NEWCOMER, STRANGER):
                ip.addr("add", index=lo, address=address, prefixlen=32)
        self._listener = socket.create_server(("", PORT), backlog=256)

    def _serve(self) -> None:
        while True:
            try:
                caller, (address, _) = self._listener.accept()
            except OSError:  # closed
                return
            with caller:
                caller.settimeout(DEADLINE)
                try:
                    self._answer(caller, address)
                except OSError:  # a caller that was killed
                    continue

    def _answer(self, caller: socket.socket, address: str) -> None:
        word = b""
        while piece := caller.recv(256):
            word += piece
        self.callers[word.decode(errors="replace")] = address
        self.words[word.decode(errors="replace")] += 1
        caller.sendall(b"ok")


class Cluster:
    """A node and its peer. What `work` is given, a container does and is then looked at."""

    def __init__(self, node: Node, peer: Peer) -> None:
        self.node, self.peer = node, peer
        self.scope = node.cgroup / "kubepods"
        self.scope.mkdir()

    def call(self, word: str, address: str = PEER, program: str = "/bin/call") -> tuple[str, ...]:
        """The command of one connection."""
        return (program, address, str(PORT), word)

    def work(self, times: int, seconds: float, word: str) -> tuple[str, ...]:
        """The command of so many connections, each by a program of its own, and a life of so many seconds."""
        return ("/bin/work", str(times), str(seconds), *self.call(word))

    def shell(self, script: str) -> tuple[str, ...]:
        return ("/bin/busybox", "sh", "-ec", script)

    def ended(self, container: str) -> int:
        """The exit code of a container, as soon as it has one."""
        until(lambda: self.status(container).state == EXITED, f"the end of container {container[:12]}")
        return self.status(container).exit_code

    def heard(self, word: str, times: int) -> None:
        """Waits until the peer was told a word so often."""
        until(lambda: self.peer.words[word] == times, f"{word} at the peer")

    def status(self, container: str):
        request = self.node.api.ContainerStatusRequest(container_id=container)
        return self.node.cri.ContainerStatus(request, timeout=DEADLINE).status

    def execute(self, container: str, *command: str) -> None:
        """`kubectl exec`. Raises RuntimeError where the command fails."""
        request = self.node.api.ExecSyncRequest(container_id=container, cmd=command, timeout=int(DEADLINE))
        done = self.node.cri.ExecSync(request, timeout=DEADLINE)
        if done.exit_code:
            raise RuntimeError(f"exec {command[0]} ended with {done.exit_code}: {done.stderr.decode()[:200]}")

    def stop(self, container: str) -> None:
        self.node.cri.StopContainer(self.node.api.StopContainerRequest(container_id=container), timeout=DEADLINE)
        self.node.cri.RemoveContainer(self.node.api.RemoveContainerRequest(container_id=container), timeout=DEADLINE)

    def cgroup(self, container: str) -> Path:
        """Directory of a container's cgroup."""
        return next(self.scope.glob(f"*/*/{container}"))


@contextmanager
def started(folder: Path, runtime: Runtime = RUNC) -> Iterator[Cluster]:
    """A node with the programs of this package in its image, and its peer."""
    with nodes.started(compiled(folder), runtime) as node:
        peer = Peer(node.pid)
        try:
            yield Cluster(node, peer)
        finally:
            peer.close()


def compiled(folder: Path) -> dict[str, Path]:
    """The static programs of the image, by their names in /bin."""
    sources = Path(__file__).with_name("programs")
    for name in ("call", "work"):
        subprocess.run(["gcc", "-O1", "-static", "-o", folder / name, sources / f"{name}.c"], check=True)
        os.chmod(folder / name, 0o755)
    return {"call": folder / "call", "work": folder / "work", "search": folder / "call"}
