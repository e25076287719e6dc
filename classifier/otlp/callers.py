"""Who sends telemetry: the replica that the kernel names, and what of the sender's own word contradicts it.

A resource says of itself which pod, container and service it is. Nothing is attributed by that; where it names another
than the kernel does, the kernel is believed and the conflict is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from classifier.otlp.attributes import text
from wire.records import Identity

SERVICE, POD, NAMESPACE, UID = "service.name", "k8s.pod.name", "k8s.namespace.name", "k8s.pod.uid"
CONTAINER, CONTAINER_NAME = "container.id", "k8s.container.name"
SHORT = 12  # characters of a container id that Docker shows


def conflicts(resource: Mapping[str, Any], identity: Identity, others: Callable[[], set[str]]) -> tuple[str, ...]:
    """Names of the attributes that contradict the kernel.

    Args:
        others: what services of all workloads are called, asked only where one has another name than its workload.
    """
    claims = {name: text(resource, (name,)) for name in (SERVICE, POD, NAMESPACE, UID, CONTAINER, CONTAINER_NAME)}
    found = [name for name, agrees in AGREES.items() if claims[name] and not agrees(claims[name], identity)]
    if claims[SERVICE] and _is_another(claims[SERVICE], identity, others):
        found.append(SERVICE)
    return tuple(found)


def named(attribute: str, identity: Identity) -> str:
    """What the kernel and the runtime call the sender, for one of the attributes; "" where nobody said."""
    namespace, pod = _pod_of(identity)
    known = {
        UID: identity.path,
        POD: pod,
        NAMESPACE: namespace,
        CONTAINER: identity.container,
        CONTAINER_NAME: identity.name,
    }
    return known.get(attribute, identity.workload or "")


def _pod_of(identity: Identity) -> tuple[str, str]:
    namespace, _, name = identity.pod.partition("/")
    return namespace, name


def _has_uid(uid: str, identity: Identity) -> bool:
    """The kubelet writes a pod's uid into the path of its cgroup, some drivers with underscores."""
    return "pod" not in identity.path or uid in identity.path or uid.replace("-", "_") in identity.path


def _has_container(id_: str, identity: Identity) -> bool:
    known = identity.container
    return not known or (len(id_) >= SHORT and (known.startswith(id_) or id_.startswith(known)))


AGREES: dict[str, Callable[[str, Identity], bool]] = {
    UID: _has_uid,
    POD: lambda claim, i: not i.pod or claim == _pod_of(i)[1],
    NAMESPACE: lambda claim, i: not i.pod or claim == _pod_of(i)[0],
    CONTAINER: _has_container,
    CONTAINER_NAME: lambda claim, i: not (i.pod and i.name) or claim == i.name,
}


def _is_another(service: str, identity: Identity, others: Callable[[], set[str]]) -> bool:
    """Whether a service calls itself like a workload that it is not. Any other name is its own affair."""
    return service not in names_of(identity.workload or "") and service in others()


def names_of(workload: str) -> set[str]:
    """What a service of a workload may be called: its own name and its container's.

    >>> sorted(names_of("lab/shop/Deployment/cart/app")), names_of("unit:cart.service")
    (['app', 'cart'], {'cart'})
    """
    if workload.startswith("unit:"):
        return {workload[5:].removesuffix(".service")}
    parts = workload.split("/")
    return {parts[-2], parts[-1]} if len(parts) > 2 else {workload}
