"""What the identity of replicas is resolved with; console/settings.py fills it from the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.identity.rules import Rule


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Where to ask and how much to hold. Paths are seen below `host`, "" on a machine, "/host" in a DaemonSet."""

    cluster: str = "local"  # first part of the workload keys of pods
    rules: tuple[Rule, ...] = ()
    roots: tuple[str, ...] = ()  # prefixes below which a nested node works, e.g. "/docker/<id of a kind node>"
    host: str = ""
    cri_sockets: tuple[str, ...] = (
        "/run/containerd/containerd.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/run/cri-dockerd.sock",
    )
    docker_sockets: tuple[str, ...] = ("/run/docker.sock",)
    podman_sockets: tuple[str, ...] = ("/run/podman/podman.sock",)
    docker_state: str = "/var/lib/docker"
    podman_state: str = "/var/lib/containers/storage"
    containerd_state: str = "/run/containerd/io.containerd.runtime.v2.task"
    replicas: int = 4096  # replicas and containers remembered
    queue: int = 1024  # questions that wait for an answer
    patience: float = 5.0  # seconds a question is repeated before it is given up
    child_idle: float = 30.0  # seconds without a question after which the process that speaks CRI goes
