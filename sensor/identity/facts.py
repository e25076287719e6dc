"""What a runtime, a kubelet or systemd says of one owner, in one form whoever said it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType, Protocol

from wire.records import Workload

Key = NewType("Key", str)  # what a question is about: one container of one realm, or one unit


AGENT = ("driftline.io/agent", "driftline.agent")  # labels of a pod or a container: "true" or "false"


class SourceError(Exception):
    """Nobody answered, or not in a form that we read; the text says who."""


class NotYetError(SourceError):
    """Who is to be asked still begins. The question keeps, however long it has been asked."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One answer. All texts are bounded and escaped."""

    source: str  # as in wire.records.Identity
    workload: Workload | None = None  # None: the source does not name an owner
    revision: str | None = None
    name: str = ""
    pod: str = ""  # namespace/name
    image: str = ""
    basis: str = ""  # what the workload rests on; says "inferred" where it is no plain fact
    container: str = ""  # its id, where the path alone did not prove one
    node: bool = False  # the container is a node of its own (kind, minikube): others run below it
    agent: bool | None = None  # what a label says of it; None: nothing


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the runtime knows it."""

    namespace: str
    name: str
    labels: dict[str, str]
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """The stable thing a pod belongs to."""

    kind: str
    name: str
    revision: str | None  # None: the labels carry none, the image's digest stands in
    basis: str


class Owners(Protocol):
    """Whose a pod is. Labels answer today; a watch of the Kubernetes API will, by owner references."""

    def owner(self, pod: Pod) -> Owner | None:
        """The pod's owner; None where it cannot be said."""


def agent_of(labels: object) -> bool | None:
    """What the labels of a container or a pod say: whether it is an agent; None where they do not say.

    >>> agent_of({"driftline.io/agent": "true"}), agent_of({"driftline.agent": "False"}), agent_of({"a": "b"})
    (True, False, None)
    """
    told = labels if isinstance(labels, dict) else {}
    word = next((str(told[name]).lower() for name in AGENT if name in told), "")
    return {"true": True, "false": False}.get(word)
