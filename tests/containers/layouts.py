"""Layouts of runtimes that this machine has not: paths as Docker and CRI-O make them, which tests hold as fixtures."""

from __future__ import annotations

from sensor.identity.paths import parse
from tests.containers.claims import hold
from tests.containers.cluster import Cluster
from tests.containers.said import Said

WANTED = ("docker", "crio")


class Layouts:
    """No container runs; what real ones' paths tell is read."""

    claim = "cgroup layouts of Docker and CRI-O"
    owners: frozenset[str] = frozenset()

    def __init__(self) -> None:
        from tests.identity.test_paths import PATHS  # brings pytest along, which no other scene needs

        self.paths = [p for p in PATHS if any(name in p.id for name in WANTED)]

    def before(self, cluster: Cluster) -> None:
        """Nothing."""

    def act(self, cluster: Cluster) -> str:
        return f"{len(self.paths)} paths of tests/identity/test_paths.py: {', '.join(p.id for p in self.paths)}"

    def look(self, said: Said) -> str:
        wrong = [p.id for p in self.paths if not _as_told(*p.values)]
        hold(self.paths and not wrong, f"read otherwise: {wrong}")
        return f"{len(self.paths)} of {len(self.paths)} name their container, their pod or that they are a helper"


def _as_told(path: str, expected: dict[str, object]) -> bool:
    place = parse(path)
    return all(getattr(place, name) == value for name, value in expected.items())
