"""Network namespaces of a test: a node and containers on veths of it, none of them connected to the machine's own network."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

_numbers = itertools.count()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Netns:
    """One namespace."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, Path("/run/netns") / name
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        ip("-n", self.name, *words)

    def inside(self, *argv: str | Path) -> list[str | Path]:
        """A command line that runs in it; nothing but the network differs there."""
        return ["/usr/bin/nsenter", f"--net={self.path}", *argv]

    def remove(self) -> None:
        ip("netns", "del", self.name)


class Network:
    """A node with containers on a bridge, as most container networks lay them."""

    ADDRESS = "10.231.0.1"

    def __init__(self) -> None:
        self._mark = f"dl{os.getpid()}-{next(_numbers)}"
        self.made: list[Netns] = []
        self.node = self._add("node")
        self.node.ip("link", "add", "br0", "type", "bridge")
        self.node.ip("addr", "add", f"{self.ADDRESS}/24", "dev", "br0")
        self.node.ip("-6", "addr", "add", "fd99::1/64", "dev", "br0", "nodad")
        self.node.ip("link", "set", "br0", "up")

    def _add(self, name: str) -> Netns:
        self.made.append(Netns(f"{self._mark}-{name}"))
        return self.made[-1]

    def container(self, number: int) -> Netns:
        """Another one, with the address 10.231.0.NUMBER."""
        made, outer = self._add(f"c{number}"), f"v{number}"
        self.node.ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", made.name)
        self.node.ip("link", "set", outer, "master", "br0", "up")
        made.ip("addr", "add", f"10.231.0.{number}/24", "dev", "eth0")
        made.ip("-6", "addr", "add", f"fd99::{number}/64", "dev", "eth0", "nodad")
        made.ip("link", "set", "eth0", "up")
        return made

    def remove(self) -> None:
        for one in reversed(self.made):
            one.remove()
