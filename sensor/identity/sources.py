"""Who is asked about a place: the runtimes whose sockets and state files this machine has, or systemd's unit files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from sensor.identity import docker
from sensor.identity.cri import Cri
from sensor.identity.docker import Api
from sensor.identity.facts import Facts, Key, NotYetError, Owners, SourceError
from sensor.identity.names import clean, key
from sensor.identity.paths import Place
from sensor.identity.settings import IdentitySettings
from sensor.identity.systemd import Units
from wire.records import Workload

Client = Cri | Api


class Sources:
    """Everybody that can be asked. Used by one thread, the one that may wait."""

    def __init__(self, settings: IdentitySettings, owners: Owners) -> None:
        self._settings, self._owners = settings, owners
        self._clients: dict[str, Client] = {}
        self._units = Units(settings.host)
        self.refused: Counter[str] = Counter()  # socket → questions it did not answer

    def fetch(self, place: Place, *, last: bool) -> Facts | None:
        """The first answer; None: ask again later. `last` also takes what a runtime's state files say.

        State files come last, because a runtime knows more than it writes: a later answer must not rename a workload.

        Raises:
            NotYetError: Nobody knows it, and who may know it still begins.
        """
        if place.kind in ("unit", "scope"):
            return Facts("systemd", unit_workload(place), self._units.revision(place.unit), basis="unit")
        begins: list[NotYetError] = []
        found = next((facts for client in self._asked(place) if (facts := self._answer(client, place, begins))), None)
        if begins and not found:
            raise begins[0]
        return found or (self._stored(place) if last or not self._sockets(place) else None)

    def close(self) -> None:
        for client in self._clients.values():
            if isinstance(client, Cri):
                client.close()

    def _answer(self, client: Client, place: Place, begins: list[NotYetError]) -> Facts | None:
        try:
            return client.fetch(place.container)
        except SourceError as e:
            self.refused[clean(str(e).partition(":")[0])] += 1
            begins += [e] if isinstance(e, NotYetError) else []
            return None

    def _asked(self, place: Place) -> Iterator[Client]:
        for kind, path, realm in self._sockets(place):
            yield self._client(kind, path, realm)

    def _sockets(self, place: Place) -> list[tuple[str, str, str]]:
        """(kind, path, realm) of the sockets that may know a place.

        A user's container is asked of that user's runtimes only: that user names its cgroups, perhaps like another's.
        """
        told = self._settings
        if place.user is None:
            wanted = [("cri", path, told.cluster) for path in told.cri_sockets]
            wanted += [("docker", path, "docker") for path in told.docker_sockets]
            wanted += [("podman", path, "podman") for path in told.podman_sockets]
        else:
            home = f"/run/user/{place.user}"
            wanted = [("docker", f"{home}/docker.sock", f"docker@{place.user}")]
            wanted += [("podman", f"{home}/podman/podman.sock", f"podman@{place.user}")]
        kinds = _kinds(place)
        placed = ((kind, told.host + path, realm) for kind, path, realm in wanted if kind in kinds)
        return [(kind, path, realm) for kind, path, realm in placed if os.path.exists(path)]

    def _client(self, kind: str, path: str, realm: str) -> Client:
        if path not in self._clients:
            if kind == "cri":
                told = self._settings
                self._clients[path] = Cri(path, cluster=realm, owners=self._owners, idle=told.child_idle)
            else:
                self._clients[path] = Api(path, source=kind, realm=realm)
        return self._clients[path]

    def _stored(self, place: Place) -> Facts | None:
        """What the state files of the system's runtimes say; a user's lie in a home that is not ours to read."""
        if place.user is not None:
            return None
        told, kinds = self._settings, _kinds(place)
        if "docker" in kinds and (found := docker.docker_state(told.host + told.docker_state, place.container)):
            return found
        if "podman" in kinds and (found := docker.podman_state(told.host + told.podman_state, place.container)):
            return found
        return self._bundle(place)

    def _bundle(self, place: Place) -> Facts | None:
        """What containerd wrote for runc: CRI's annotations without the labels, so no owner; a name for `ctr`."""
        if place.runtime not in ("", "containerd"):
            return None
        namespace = place.namespace or "k8s.io"
        path = f"{self._settings.host}{self._settings.containerd_state}/{namespace}/{place.container}/config.json"
        told = docker.read_json(path)
        return bundled(told, place, namespace) if isinstance(told, dict) else None


def key_of(place: Place) -> Key | None:
    """What to ask of a place; None where nobody could know more."""
    realm = "" if place.user is None else str(place.user)
    if place.kind in ("container", "task") and place.runtime != "lxc":
        return Key(f"{realm}:{place.namespace}:{place.container}")
    return Key(f"{realm}:unit:{place.unit}") if place.kind in ("unit", "scope") and place.user is None else None


def unit_workload(place: Place) -> Workload | None:
    """The key of a unit. A login's session has but a number, so its slice stands for it; a user's unit says whose."""
    name = place.slice if place.kind == "slice" or _is_session(place) else place.unit
    if not name:
        return None
    return Workload(f"unit:{clean(name)}" if place.user is None else f"unit:user@{place.user}:{clean(name)}")


def bundled(told: dict, place: Place, namespace: str) -> Facts | None:
    """Facts of an OCI bundle's config.json."""
    notes = told.get("annotations") if isinstance(told.get("annotations"), dict) else {}
    cri = {k: clean(notes.get(f"io.kubernetes.cri.{k}")) for k in CRI_NOTES}
    if not cri["container-type"]:
        return _task(place, namespace)
    pod = f"{cri['sandbox-namespace']}/{cri['sandbox-name']}" if cri["sandbox-name"] else ""
    name = "POD" if cri["container-type"] == "sandbox" else cri["container-name"]
    return Facts("cri", None, None, name, pod, cri["image-name"], basis="bundle: labels unread, owner unknown")


def _task(place: Place, namespace: str) -> Facts:
    """A container of `ctr`, whose id is the name that a person gave it; other ids are random and name no workload."""
    if place.kind != "task":
        return Facts("cgroup")
    name = clean(place.container)
    workload = Workload(key("containerd", namespace, "Container", name, name))
    return Facts("cgroup", workload, name=name, container=name, basis="name given to ctr")


CRI_NOTES = ("container-type", "container-name", "sandbox-namespace", "sandbox-name", "image-name")
KINDS = {
    "docker": frozenset({"docker", "cri"}),
    "podman": frozenset({"podman"}),
    "crio": frozenset({"cri"}),
    "containerd": frozenset({"cri"}),
}


def _kinds(place: Place) -> frozenset[str]:
    """Kinds of runtime that may know a container."""
    if place.pod_uid and place.runtime != "podman":
        return frozenset({"cri"})
    return KINDS.get(place.runtime, frozenset({"cri", "docker", "podman"}))


def _is_session(place: Place) -> bool:
    return place.kind == "scope" and place.unit.startswith("session-") and bool(place.slice)
