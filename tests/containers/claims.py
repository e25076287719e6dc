"""What a row of the table is: something done on the node, and what driftline must have said of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.containers.cluster import Cluster
from tests.containers.said import Said, Seen


class Claim(Exception):
    """It does not hold; the text says what was seen."""


def hold(condition: object, seen: object) -> None:
    if not condition:
        raise Claim(str(seen)[:600])


class Scene(Protocol):
    """`before` happens before driftline runs, `act` while it does; `look` says what was seen or raises Claim."""

    claim: str

    @property
    def owners(self) -> frozenset[str]:
        """Workloads that it has made."""
        ...

    def before(self, cluster: Cluster) -> None: ...

    def act(self, cluster: Cluster) -> str: ...

    def look(self, said: Said) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    claim: str
    done: str
    seen: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Work:
    """A container, whose it is, and how many connections it made, each by a program of its own."""

    container: str
    workload: str
    pod: str  # its name
    calls: int  # from its own cgroups
    word: str
    strays: int = 0  # calls beyond those, made from a cgroup that is not its own

    @property
    def name(self) -> str:
        return self.workload.rpartition("/")[2]


def row(scene: Scene, done: str, said: Said) -> Row:
    """What became of a scene that was acted."""
    return looked(scene.claim, done, lambda: scene.look(said))


def looked(claim: str, done: str, look: Callable[[], str]) -> Row:
    """What a look at something that was done says."""
    try:
        return Row(claim, done, look(), True)
    except (Claim, TimeoutError) as e:
        return Row(claim, done, str(e), False)


def checked(work: Work, said: Said, *, revision: str | None = None) -> Seen:
    """What was said of a container, if it is all that it did and under its own name. Raises Claim."""
    seen = said.of(work.container)
    what = f"{work.pod}/{work.name}"
    hold(seen.workloads == {work.workload}, f"{what}: workloads {seen.workloads}, not {work.workload}")
    pods = {(i.pod, i.name) for i in seen.identities.values()}
    hold(pods == {(f"shop/{work.pod}", work.name)}, f"{what}: pods {pods}")
    found = {"connects": seen.connects, "execs": seen.execs("/bin/call")}
    hold(set(found.values()) == {work.calls}, f"{what}: {found} of {work.calls}; lost {dict(seen.loss)}")
    revisions = {i.revision for i in seen.identities.values()}
    hold(revision is None or revisions == {revision}, f"{what}: revisions {revisions}, not {revision}")
    return seen
