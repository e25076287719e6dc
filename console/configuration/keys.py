"""Every key of the configuration: its kind, its default, its bounds, and the words that docs/configuration.md has for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it takes, what holds without it, what it does."""

    kind: str  # "text", "path", "whole", "number", "flag", "texts", "patterns", "rules"
    default: Any  # None: nothing, which `about` explains
    about: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()


SOCKETS = {
    "cri": (
        "/run/containerd/containerd.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/run/cri-dockerd.sock",
    ),
    "docker": ("/run/docker.sock",),
    "podman": ("/run/podman/podman.sock",),
}
KEYS: dict[str, Key] = {
    "node": Key("text", "", "Name of this machine in records; the host name where empty."),
    "run_dir": Key("path", "/run/driftline", "The classifier's sockets."),
    "state_dir": Key("path", "/var/lib/driftline", "What the classifier keeps over restarts."),
    "user": Key("text", "", "User that `driftline run` gives the classifier; `driftline`, or uid 65520 without one."),
    "sensor.name": Key("text", "default", "Name of this instance; two on one machine need two names."),
    "sensor.scope": Key("path", None, "Observe only this cgroup and what is below it; the whole machine where empty."),
    "sensor.interval": Key("number", 10.0, "Seconds between windows.", 0.1, 3600),
    "sensor.probes": Key("texts", ("syscalls", "process", "files", "network", "io_uring"), "Probes to load."),
    "sensor.hooks": Key(
        "text",
        "auto",
        "Where probes are attached: `auto` (the hook that costs least of those that this kernel takes; `driftline doctor` says "
        "which), or `raw` (only what every kernel takes).",
        choices=("auto", "raw"),
    ),
    "sensor.run_dir": Key("path", "/run/driftline-sensor", "The sensor's lock and plan; only root enters."),
    "sensor.socket": Key("path", None, "The classifier's socket; `<run_dir>/classifier.sock` where empty."),
    "sensor.keep_pinned": Key("flag", True, "Keep counting in the kernel while the sensor is stopped."),
    "sensor.digest": Key(
        "flag",
        True,
        "Hash executables that were run; read versions of opened packages, heads of weights, what skills and prompts hold.",
    ),
    "sensor.redact": Key(
        "flag", True, "Take what looks like a secret out of command lines before they leave the sensor."
    ),
    "sensor.capture.agents": Key(
        "patterns",
        ("auto",),
        "Whose model and tool calls are read: `auto` (who opened code of an AI framework, or has the label "
        "`driftline.io/agent=true`), `all`, `none`, or a list of patterns of workloads' names.",
    ),
    "sensor.capture.redaction": Key(
        "text",
        "default",
        "What is masked in words of agents: `default` (keys, tokens, card numbers, values of secret names) or `pci` (e-mail "
        "addresses, too).",
        choices=("default", "pci"),
    ),
    "sensor.capture.originals.recipients": Key(
        "texts", (), "Public keys (`age1…`) for which whole texts of agents are sealed; none are kept where empty."
    ),
    "sensor.capture.originals.workloads": Key("texts", ("*",), "Whose: patterns of workloads' names."),
    "sensor.capture.originals.dir": Key("path", "/var/lib/driftline-sensor", "Where they are kept on the node."),
    "sensor.capture.originals.days": Key(
        "number", 30.0, "Days for which one is kept since it was last said.", 0.01, 36500
    ),
    "sensor.capture.originals.max_bytes": Key("whole", 1 << 30, "Bytes of them all, sealed.", 1 << 20, 1 << 50),
    "sensor.sizes.slots": Key("whole", 512, "Replicas at a time.", 1, 65536),
    "sensor.sizes.processes": Key("whole", 32768, "Processes at a time.", 64, 1 << 22),
    "sensor.sizes.files": Key("whole", 16384, "Rows of (replica, image, file).", 64, 1 << 20),
    "sensor.sizes.flows": Key("whole", 8192, "Rows of (replica, image, peer, port).", 64, 1 << 20),
    "sensor.sizes.fact_pages": Key("pages", 128, "Ring of facts, in pages of 4 KiB, a power of two.", 1, 65536),
    "sensor.sizes.path_pages": Key("pages", 128, "Ring of paths, likewise.", 1, 65536),
    "sensor.sizes.exec_pages": Key("pages", 256, "Ring of execs, likewise.", 1, 65536),
    "sensor.sizes.payload_pages": Key("pages", 64, "Ring of DNS answers and TLS names, likewise.", 1, 65536),
    "classifier.socket": Key("path", None, "Where sensors send; `<run_dir>/classifier.sock` where empty."),
    "classifier.control": Key("path", None, "Socket for questions; `<run_dir>/control.sock` where empty."),
    "classifier.socket_group": Key("text", "", "Group whose members may ask and triage; only root where empty."),
    "classifier.sensor_uids": Key("wholes", (0,), "Users that may send observations, by number."),
    "classifier.policy": Key("text", "default", "Thresholds: `default`, `demo`, or a file as for `trace replay`."),
    "classifier.time_scale": Key("number", 1.0, "Divide every duration of the policy by this.", 0.001, 1e6),
    "classifier.trace": Key("path", None, "Trace that gets every accepted record; none where empty."),
    "classifier.folder": Key("path", None, "Folder for dropped deploy events; not watched where empty."),
    "classifier.systemd": Key("number", 10.0, "Seconds between looks at the units; 0: never.", 0, 3600),
    "classifier.keys_file": Key("path", None, "Whose signatures of deploy events count; nobody's where empty."),
    "classifier.metrics_address": Key("address", None, "`HOST:PORT` of metrics; none where empty."),
    "classifier.stop_within": Key("number", 4.0, "Seconds from the request to the end.", 0.5, 60),
    "classifier.http.address": Key("address", None, "`HOST:PORT` for signed deploy events; not received where empty."),
    "classifier.http.body": Key("whole", 65536, "Bytes of one deploy event.", 256, 1 << 24),
    "classifier.http.tolerance": Key("number", 300.0, "Seconds a signed event may be old.", 1, 86400),
    "classifier.http.rate": Key("number", 5.0, "Requests per second and address.", 0.01, 10000),
    "classifier.http.burst": Key("whole", 30, "Requests at once of one address.", 1, 10000),
    "classifier.retention.event_rows": Key("whole", 500_000, "Events kept as evidence.", 1000, 1 << 40),
    "classifier.retention.event_age": Key("number", 7_776_000.0, "Seconds an event is kept.", 60, 1e10),
    "classifier.retention.max_bytes": Key("whole", 8 << 30, "Bytes of the database.", 1 << 20, 1 << 50),
    "classifier.retention.snapshot_seconds": Key("number", 300.0, "Seconds between snapshots.", 1, 86400),
    "audit.keep": Key("flag", True, "Keep an audit trail of findings, gaps, refused news and decisions."),
    "audit.dir": Key("path", None, "Folder of the trail; `<state_dir>/audit` where empty."),
    "audit.key": Key("path", None, "Key that signs it, made with the trail; `<audit.dir>/key.pem` where empty."),
    "audit.days": Key("number", 400.0, "Days for which rows and the records they rest on are kept.", 92, 36500),
    "audit.silence": Key("number", 120.0, "Seconds without a word of a sensor, after which a row says so.", 1, 86400),
    "audit.answer": Key("number", 86_400.0, "Seconds until a finding without a decision is told again.", 60, 1e10),
    "audit.max_bytes": Key("whole", 8 << 30, "Bytes of the trail.", 1 << 20, 1 << 50),
    "identity.cluster": Key("text", "local", "First part of the names of pods' workloads."),
    "identity.host": Key("text", "", "Where the host's root is mounted, such as `/host` in a DaemonSet."),
    "identity.roots": Key("texts", (), "Cgroup paths below which a nested node works, such as a kind node's."),
    "identity.cri_sockets": Key(
        "texts", SOCKETS["cri"], "Container runtimes to ask for pods; the first that is there."
    ),
    "identity.docker_sockets": Key("texts", SOCKETS["docker"], "Docker engines to ask."),
    "identity.podman_sockets": Key("texts", SOCKETS["podman"], "Podman services to ask."),
    "identity.replicas": Key("whole", 4096, "Replicas and containers remembered.", 16, 1 << 20),
    "identity.patience": Key("number", 5.0, "Seconds a question to a runtime is repeated.", 0.1, 600),
    "identity.child_idle": Key("number", 30.0, "Seconds without a question after which what asks CRI ends.", 1, 86400),
    "otlp.enabled": Key("flag", False, "Receive what agents say of themselves by OTLP/HTTP; docs/otlp.md says how."),
    "otlp.address": Key("address", ("127.0.0.1", 4318), "Where; containers reach no loopback address."),
    "otlp.body": Key("whole", 8 << 20, "Bytes of a request, unpacked.", 1024, 64 << 20),
    "otlp.rate": Key("number", 20.0, "Requests per second and sender.", 0.1, 10_000),
    "otlp.calls": Key("number", 100.0, "Calls that are kept, per second and replica.", 0.1, 100_000),
    "otlp.emails": Key("flag", False, "Mask e-mail addresses in words, too."),
    "identity.rules": Key("rules", (), "Names for cgroups that no container runtime and no systemd unit explains."),
}


def variable(name: str) -> str:
    """The environment variable that overrides a key.

    >>> variable("sensor.sizes.slots")
    'DRIFTLINE_SENSOR_SIZES_SLOTS'
    """
    return "DRIFTLINE_" + name.upper().replace(".", "_")
