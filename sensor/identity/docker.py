"""Container ids become names and owners, asked of Docker or Podman by their API, else read in their state files.

Both speak Docker's inspect format (Docker Engine API v1.40, `GET /containers/{id}/json`), and Docker keeps the same
fields in `containers/<id>/config.v2.json`. Compose and Swarm name their services in labels.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import time
from collections.abc import Mapping
from typing import Any

from sensor.identity.facts import Facts, SourceError, agent_of
from sensor.identity.names import clean, key
from wire.records import Workload

LONGEST = 4 << 20  # bytes of an answer or a state file
PATIENCE = 2.0  # seconds for one answer
ID = re.compile("[0-9a-f]{64}")
NODE_LABELS = ("io.x-k8s.kind.cluster", "role.minikube.sigs.k8s.io")  # set by who runs `kind` or `minikube`


class Api:
    """The API of one socket. `realm` begins the workload keys: "docker", "podman", "podman@1000" for a user's own."""

    def __init__(self, path: str, *, source: str, realm: str) -> None:
        self.path, self._source, self._realm = path, source, realm

    def fetch(self, container: str) -> Facts | None:
        """What the runtime says; None where it does not know the container (yet). Raises SourceError."""
        if not ID.fullmatch(container):
            return None
        try:
            told = _get(self.path, f"/v1.40/containers/{container}/json")
        except (OSError, ValueError) as e:
            raise SourceError(f"{self.path}: {e}") from e
        return inspected(told, container, self._source, self._realm) if told is not None else None


def docker_state(directory: str, container: str) -> Facts | None:
    """What Docker's own file says, for a machine that shows us no socket."""
    told = read_json(f"{directory}/containers/{container}/config.v2.json")
    return inspected(told, container, "docker", "docker") if isinstance(told, dict) else None


def podman_state(directory: str, container: str) -> Facts | None:
    """What the storage of Podman says: name and image. Its labels lie in a database that is not ours to open."""
    told = read_json(f"{directory}/overlay-containers/containers.json")
    for item in told if isinstance(told, list) else []:
        if isinstance(item, dict) and item.get("id") == container:
            return _stored(item, container)
    return None


def _stored(item: dict, container: str) -> Facts | None:
    names = item.get("names") or [""]
    try:
        more = json.loads(item.get("metadata") or "{}")
    except (ValueError, TypeError):  # a newer storage may keep another form; the names stand
        more = {}
    image = more.get("image-name") if isinstance(more, dict) else ""
    return inspected({"Id": container, "Name": names[0], "Config": {"Image": image}, "Image": item.get("image")},
                     container, "podman", "podman")  # fmt: skip


def inspected(told: Any, container: str, source: str, realm: str) -> Facts | None:
    """Facts of an inspect document; None where it speaks of another container."""
    if not isinstance(told, dict) or (told.get("Id") or told.get("ID")) != container:
        return None
    config = told.get("Config") if isinstance(told.get("Config"), dict) else {}
    labels = config.get("Labels") if isinstance(config.get("Labels"), dict) else {}
    name = clean(told.get("Name")).removeprefix("/")
    workload, basis = _owner(realm, name, labels)
    node = any(label in labels for label in NODE_LABELS)
    image, revision = clean(config.get("Image")), clean(told.get("Image")) or None
    return Facts(source, workload, revision, name, image=image, basis=basis, node=node, agent=agent_of(labels))


def _owner(realm: str, name: str, labels: Mapping[str, str]) -> tuple[Workload | None, str]:
    """The workload: a service where labels name one, so that its replicas share it; else the container by its name."""
    project, service = (clean(labels.get(f"com.docker.compose.{label}")) for label in ("project", "service"))
    if project and service:
        generated = re.fullmatch(rf"{re.escape(project)}[-_]{re.escape(service)}[-_]\d+", name)
        return Workload(key(realm, project, "Compose", service, service if generated else name)), "compose labels"
    swarm = clean(labels.get("com.docker.swarm.service.name"))
    if swarm:
        stack = clean(labels.get("com.docker.stack.namespace"))
        return Workload(key(realm, stack, "Swarm", swarm, swarm)), "swarm labels"
    if not name:
        return None, ""
    return Workload(key(realm, "default", "Container", name, name)), "container name"


def read_json(path: str) -> Any:
    """A root-owned state file; None where it is not there, no regular file, too long, or being rewritten."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        data = file.read(LONGEST + 1)
    try:
        return json.loads(data) if len(data) <= LONGEST else None
    except (ValueError, RecursionError):
        return None


def _get(path: str, target: str) -> Any:
    """The JSON of a GET; None for 404. Raises OSError, ValueError."""
    import http.client  # 2 MiB that a node without Docker need not pay

    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
    connection.sock = _connected(path)
    try:
        connection.request("GET", target, headers={"Connection": "close"})
        response = connection.getresponse()
        body = _body(response, time.monotonic() + PATIENCE)
    except http.client.HTTPException as e:
        raise ValueError(f"no HTTP: {type(e).__name__}") from e
    finally:
        connection.close()
    if response.status == 404:
        return None
    if response.status != 200:
        raise ValueError(f"status {response.status}")
    try:
        return json.loads(body)
    except RecursionError as e:
        raise ValueError("nested too deep") from e


def _connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def _body(response: Any, until: float) -> bytes:
    """The body, bounded in bytes and in time: a peer may send a byte a second."""
    found = bytearray()
    while chunk := response.read1(65536):
        found += chunk
        if len(found) > LONGEST or time.monotonic() > until:
            raise ValueError(f"an answer beyond {LONGEST >> 20} MiB or {PATIENCE:g} s")
    return bytes(found)
