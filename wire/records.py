"""The records of the stream: what a sensor says, and what may explain it.

A stream is an ordered sequence of these records. Live, it comes from the sensor's socket and the deploy receivers; in a
replay, from a trace file. Everything the classifier knows, it knows from this stream, so the same stream gives the same
findings. Times are seconds since the epoch in event time; a record never holds the time at which it was handled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import NewType, TypeVar

from msgspec import Struct, field

CgroupId = NewType("CgroupId", int)  # kernfs id of a cgroup v2 directory, unique until the node reboots
Workload = NewType("Workload", str)  # "cluster/namespace/kind/name/container" or "unit:NAME"
Behaviour = NewType("Behaviour", str)  # canonical, e.g. "egress:tcp:api.example.org:443"; see docs/behaviours.md


# Structs of msgspec: frozen like a dataclass, but read and written, with every type checked, ten times as fast.
SHAPE = {"frozen": True, "array_like": True, "forbid_unknown_fields": True}
C = TypeVar("C", bound=type)


def _like_a_dataclass(cls: C) -> C:
    """Lets `replace`, `fields` and `asdict` of `dataclasses` work on a record."""
    cls.__dataclass_fields__ = make_dataclass(cls.__name__, cls.__struct_fields__).__dataclass_fields__
    return cls


@_like_a_dataclass
class Replica(Struct, **SHAPE, order=True):
    """One container (or unit instance): the thing that runs a revision of a workload."""

    node: str
    cgroup: CgroupId
    generation: int = 0  # distinguishes two uses of one cgroup id, e.g. after a reboot


@_like_a_dataclass
class ProbeState(Struct, **SHAPE):
    """What one probe gives on this machine."""

    name: str
    state: str  # "on", "stand-in" (a lesser hook does its work) or "off"
    misses: tuple[str, ...] = ()  # blind spots, in words


@_like_a_dataclass
class Head(Struct, **SHAPE):
    """First record of every stream and of every sensor start."""

    time: float
    node: str
    kernel: str
    epoch: str  # one start of one sensor's kernel side; ids of events are unique within it
    scope: str  # cgroup path observed, "/" for the machine, "import" for foreign traces
    interval: float  # seconds between windows
    arch: str = "x86_64"  # decides what the syscall numbers mean
    probes: tuple[ProbeState, ...] = ()
    source: str = "sensor"  # or "scap", "strace", "sequence"


@_like_a_dataclass
class Identity(Struct, **SHAPE):
    """What is known of a replica's owner, from `time` on. A later one replaces an earlier one."""

    time: float
    replica: Replica
    path: str  # cgroup path, as seen from the cgroup root
    workload: Workload | None  # None until somebody has named the owner
    revision: str | None  # ReplicaSet hash, image digest, unit-file digest; None where unknown
    source: str  # "cri", "docker", "podman", "systemd", "rule", "cgroup", "import"
    container: str = ""  # container id
    name: str = ""  # container name
    pod: str = ""  # namespace/name
    image: str = ""
    startup_observed: bool = True  # False: it ran before the sensor did
    ended: float | None = None  # when its cgroup went; None while it lives


@_like_a_dataclass
class Event(Struct, **SHAPE):
    """One fact with its evidence: an exec, a first connection, a first open, a name, a digest.

    `kind` is "exec", "fork", "exit", "egress", "ingress", "dial", "open", "identity", "dns", "tls", "syscall", "io_uring",
    "digest" or "package"; of what agents say "llm", "tool", "mcp" and "coverage". `data` holds plain values only, lists as JSON;
    docs/records.md lists the fields per kind.
    """

    id: str  # "<node>/<epoch>/<number>"
    time: float
    replica: Replica
    kind: str
    behaviour: Behaviour | None = None  # None: evidence only, no behaviour of its own (fork, exit, dns)
    data: Mapping[str, str | int | float] = field(default_factory=dict)


@_like_a_dataclass
class Use(Struct, **SHAPE):
    """How much of one behaviour a replica showed in one window."""

    behaviour: Behaviour
    count: int = 1
    bytes_out: int = 0
    bytes_in: int = 0
    first: float = 0.0  # within the window; 0.0: not told, so not before its start
    evidence: tuple[str, ...] = ()  # ids of events that show it, at most 8, oldest first
    data: Mapping[str, str | int | float] = field(default_factory=dict)  # e.g. lineage, address, path, digest


@_like_a_dataclass
class Window(Struct, **SHAPE):
    """What one replica did in one interval. No window: nothing was observed, which is not the same as nothing done."""

    replica: Replica
    start: float
    end: float
    uses: tuple[Use, ...] = ()
    syscalls: Mapping[int, int] = field(default_factory=dict)  # number → calls in this window
    grams: tuple[int, ...] = ()  # trigrams this replica made for the first time: (a+1)<<20 | (b+1)<<10 | (c+1)
    foreign: int = 0  # 32-bit calls and numbers beyond the table
    loss: Mapping[str, int] = field(default_factory=dict)  # what was lost → how much; empty: nothing

    @property
    def partial(self) -> bool:
        """Whether anything of this window was lost."""
        return any(self.loss.values())


@_like_a_dataclass
class Deploy(Struct, **SHAPE):
    """A change that somebody announced, and how far that somebody is believed."""

    id: str  # the sender's id; a second delivery changes nothing
    time: float  # when the change began, as the sender says
    received: float  # when it reached us: late news is judged as such
    source: str  # "cli", "http", "folder", "systemd", "kubernetes"
    workload: Workload
    kind: str  # "image", "model", "prompt", "tools", "config", "dependency", "restart"
    revision: str | None = None  # what the replicas of the change carry; None: applies without a restart
    actor: str = ""
    scope: tuple[str, ...] = ()  # behaviours it declares, with * as wildcard; empty: nothing declared
    trust: str = "none"  # "signed", "local" (root on this node), "none"
    refused: str = ""  # why it has no weight: "bad signature", "replayed", "sent by a workload"; "" if believed
    sender: Replica | None = None  # the replica that sent it, where one did


@_like_a_dataclass
class Gap(Struct, **SHAPE):
    """A span in which a node was not observed."""

    node: str
    start: float
    end: float
    reason: str


@_like_a_dataclass
class Tick(Struct, **SHAPE):
    """Every window of this node that ends at or before `time` has been sent."""

    node: str
    time: float
    health: Mapping[str, float] = field(default_factory=dict)  # of the sensor itself, for metrics; decides no label


@_like_a_dataclass
class Triage(Struct, **SHAPE):
    """What a person decided about a finding. Part of the stream, so that a replay knows it too."""

    time: float
    finding: str
    decision: str  # "accept" (it is normal from now on), "risky" (never learn it), "dismiss" (close, learn nothing)
    actor: str
    note: str = ""


@_like_a_dataclass
class Pin(Struct, **SHAPE):
    """What a person, or a system in a person's name, laid down about a workload; the latest of a kind holds.

    `what` is "class", "track", "data" (the data it handles), "regulation", "reversibility", "enforcement" ("on" or
    "off", as told by whoever enforces), "staging" (digest and signer of its signed staging baseline) or "allow" (one
    behaviour beyond that baseline; of these the latest of a behaviour holds).
    """

    time: float
    workload: Workload  # may be one that has not been seen yet
    what: str
    value: str  # "" takes it back
    actor: str
    note: str = ""
    until: float = 0.0  # seconds, when it ends by itself; 0.0: never


Record = Head | Identity | Event | Window | Deploy | Gap | Tick | Triage | Pin
