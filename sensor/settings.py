"""What the sensor is told: where to look, how much memory to take, where to send."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sensor.identity.settings import IdentitySettings


@dataclass(frozen=True, slots=True)
class Sizes:
    """Entries of the kernel's tables; each says when it is full."""

    slots: int = 512  # workload replicas at a time
    processes: int = 32768
    files: int = 16384  # (replica, image, file) rows
    flows: int = 8192  # (replica, image, peer, port) rows
    fact_pages: int = 128  # ring of 64-byte facts, in pages of 4 KiB; a power of two
    path_pages: int = 128
    exec_pages: int = 256  # 500 execs: a third of a second at 1,500 a second, on a machine that has no time for us
    payload_pages: int = 64
    capture_pages: int = 8192  # of a full capture: 32 MiB hold 2 million calls


@dataclass(frozen=True, slots=True)
class OriginalsSettings:
    """Whose whole texts are kept, sealed."""

    recipients: tuple[str, ...] = ()  # public keys of age; none: nothing is kept
    workloads: tuple[str, ...] = ("*",)  # patterns of names
    folder: Path = Path("/var/lib/driftline-sensor")
    days: float = 30.0  # since it was last said
    max_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What is read of what agents say."""

    agents: tuple[str, ...] = ("auto",)  # "auto", "all", "none", patterns of workloads' names
    redaction: str = "default"  # a name of `wire.redact.POLICIES`
    originals: OriginalsSettings = field(default_factory=OriginalsSettings)


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """Settings of one sensor."""

    name: str = "default"  # of its pins: two sensors on one machine need two names
    scope: Path | None = None  # directory of the observed cgroup subtree; None: the whole machine
    node: str = ""  # "" takes the host name
    interval: float = 10.0  # seconds between windows
    probes: tuple[str, ...] = ("syscalls", "process", "files", "network", "io_uring")
    hooks: str = "auto"  # "raw": no hook but those that every kernel takes
    sizes: Sizes = field(default_factory=Sizes)
    run_dir: Path = Path("/run/driftline")  # lock, plan and socket
    socket: Path | None = None  # of the classifier; None: <run_dir>/classifier.sock
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    keep_pinned: bool = True  # False: a clean stop unloads everything
    digest: bool = True  # hash executables that were run
    redact: bool = True  # take what looks like a secret out of command lines
    capture: CaptureSettings = field(default_factory=CaptureSettings)
    doors: tuple[int, ...] = ()  # ports of the classifier's receivers that other network namespaces can reach
    doors_in: Path = Path("/proc/self/ns/net")  # the network namespace in which they listen

    @property
    def address(self) -> Path:
        return self.socket or self.run_dir / "classifier.sock"

    @property
    def spool(self) -> Path:
        """Where frames wait for a classifier that is away."""
        return self.run_dir / f"{self.name}.spool"
