"""What the classifier daemon is told: where it listens, where it keeps its state, for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from classifier.policy import DAY, Policy


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept. Findings and deploy events stay for good; what bounds them is the policy."""

    event_rows: int = 500_000
    event_age: float = 90 * DAY  # seconds of event time
    refusals: int = 10_000  # rows
    max_bytes: int = 8 << 30  # of the database; reaching it is handled as a full disk
    snapshot_frames: int = 20_000  # a snapshot follows this many frames …
    snapshot_seconds: float = 300.0  # … or this much time


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of the receiver of deploy events, which anybody who reaches its port may call."""

    body: int = 64 << 10  # bytes
    tolerance: float = 300.0  # seconds between webhook-timestamp and now
    rate: float = 5.0  # requests per second and address
    burst: int = 30
    refused_rate: float = 0.5  # refused events per second that become records; the rest are only counted
    strangers: int = 64  # unknown workload names that refused events may bring into the stream
    timeout: float = 10.0  # seconds for a body to arrive


@dataclass(frozen=True, slots=True)
class OtlpLimits:
    """Bounds of the receiver of telemetry, which anybody who reaches its port may call."""

    body: int = 8 << 20  # bytes of a request, packed or not
    fields: int = 400_000  # of a protobuf body, those of its messages with them
    values: int = 1_000_000  # of a JSON body, about
    rate: float = 20.0  # requests per second and sender
    burst: int = 100
    calls: float = 100.0  # calls that become records, per second and replica
    calls_burst: int = 5000
    bytes: float = 2 << 20  # of bodies, per second and replica
    bytes_burst: int = 64 << 20
    each: int = 4  # requests of one sender under way
    under_way: int = 8  # of all
    wait: float = 6.0  # seconds for which the other part of a call is waited for
    waiting: int = 4096  # calls that wait for it
    unwritten: int = 20_000  # events that wait for the store; then nothing more is taken
    timeout: float = 10.0  # seconds for a body to arrive
    emails: bool = False  # mask e-mail addresses, too


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """Settings of one classifier."""

    state_dir: Path
    socket_path: Path  # sensors send here
    control_path: Path  # questions, marks, triage
    policy: Policy = field(default_factory=Policy)
    http_address: tuple[str, int] | None = None  # signed deploy events; None: not received
    keys_file: Path | None = None  # whose signatures count; None: nobody's
    folder: Path | None = None  # dropped deploy events; None: not watched
    metrics_address: tuple[str, int] | None = None
    trace_path: Path | None = None  # every accepted record goes there, in order
    systemd: float | None = 10.0  # seconds between looks at the units; None: never
    user: str | None = None  # to become after the sockets are open, by name or number; None: stay
    sensor_uids: tuple[int, ...] = (0,)  # who may send frames, besides our own user
    socket_group: str | None = None  # its members may ask and triage; None: only root and our own user
    retention: Retention = field(default_factory=Retention)
    http: HttpLimits = field(default_factory=HttpLimits)
    otlp_address: tuple[str, int] | None = None  # telemetry of agents; None: not received
    otlp: OtlpLimits = field(default_factory=OtlpLimits)
    stop_within: float = 5.0  # seconds from SIGTERM to the end

    @property
    def database(self) -> Path:
        return self.state_dir / "classifier.db"
