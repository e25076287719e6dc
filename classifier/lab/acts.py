"""What a replica may do, and how a sensor would write it down."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

PATHS = {"sh": "/bin/sh", "bash": "/bin/bash", "curl": "/usr/bin/curl", "export.py": "/app/export.py"}
KINDS = {"exec": "exec", "egress": "egress", "ingress": "ingress", "identity": "identity", "syscall": "syscall"}

Data = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Act:
    """One behaviour by one chain of programs."""

    behaviour: str
    lineage: str  # images by base name, innermost first
    address: str = ""  # of the peer
    layer: str = ""  # of an executable: "upper" or "memfd"; else it came with the image
    image: str = ""  # path of the acting program; "" stands for its usual place

    @property
    def kind(self) -> str:
        """Kind of the event that first shows it."""
        return KINDS.get(self.behaviour.partition(":")[0], "open")

    def use_data(self) -> Data:
        """Fields of `Use.data`, as `sensor.observe` keeps them."""
        if self.kind == "exec":
            return _known(lineage=self.lineage, path=self.path, layer=self._memory())
        if self.address:
            return _known(lineage=self.lineage, image=self._image(), address=self.address)
        return _known(lineage=self.lineage, path=self.path)

    def event_data(self, pid: int) -> Data:
        """Fields of `Event.data`."""
        if self.kind == "exec":
            found = _known(path=self.path, argv=self.path, cwd="/", lineage=self.lineage, layer=self._memory())
            return found | {"pid": pid, "ppid": 1, "uid": 1000}
        found = _known(lineage=self.lineage, image=self._image()) | {"pid": pid}
        if not self.address:
            return found | _known(path=self.path) | {"uid": 1000}
        _, _, host_port = self.behaviour.partition(":")
        host, _, port = host_port.partition(":")[2].rpartition(":")
        named = {} if not host or host == self.address else {"name": host}
        return found | {"address": self.address, "port": int(port) if port.isdigit() else 0} | named

    def digest_data(self, pid: int) -> Data:
        """Fields of the digest event of an executable."""
        sum_ = hashlib.sha256(self.path.encode()).hexdigest()
        return {"path": self.path, "layer": self.layer or "lower", "pid": pid, "sha256": sum_}

    @property
    def path(self) -> str:
        """The file that is executed or opened; "" for what has none."""
        head, _, rest = self.behaviour.partition(":")
        if head == "exec":
            return rest.partition("<")[0]
        if self.kind in ("egress", "ingress", "syscall"):
            return ""
        return rest.partition(":")[2]

    def _memory(self) -> str:
        """Only of code without a file the layer is known at once; the digest tells the others'."""
        return self.layer if self.layer == "memfd" else ""

    def _image(self) -> str:
        first = self.lineage.partition("<")[0]
        return self.image or PATHS.get(first, f"/usr/local/bin/{first}")


def _known(**values: str) -> Data:
    return {k: v for k, v in values.items() if v != ""}


@dataclass(frozen=True, slots=True)
class Habit:
    """What a workload does again and again."""

    act: Act
    rate: float  # times per request, or per hour if `hourly`
    out: float = 0.0  # bytes a time
    into: float = 0.0
    hourly: bool = False
    once: bool = False  # at the start of a replica, and not again
    when: tuple[int, ...] = ()  # hours since Monday 00:00 in which it happens; empty: in all
    spread: float = 0.25  # sigma of ln(bytes)
    since: float = 0.0  # seconds, event time
    grow: str = ""  # instead of an act of its own: this behaviour's bytes are multiplied by `rate`
    fact: int = -1  # number of the draft it belongs to


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done once. `life` is the number of a replica's life."""

    time: float
    life: int
    act: Act
    count: int = 1
    out: int = 0
    into: int = 0
    fact: int = -1
    calls: tuple[int, ...] = ()  # numbers of system calls that come with it
    grams: int = 0  # trigrams new to the replica


@dataclass(slots=True)
class Draft:
    """A fact before it is known when and where it showed."""

    kind: str
    family: str
    stealth: int = 0
    deploy: str = ""
