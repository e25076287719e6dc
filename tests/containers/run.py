"""Scenes to rows: acted on one node under one driftline, then held against everything that it said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.containers import cluster as clusters
from tests.containers.cgroups import FALSE_ID, Forged, Intruder, Moves, Nested
from tests.containers.claims import Row, Scene, hold, row
from tests.containers.cluster import Cluster
from tests.containers.layouts import Layouts
from tests.containers.pods import Before, Companions, Exec, HostNetwork, Restart, Short
from tests.containers.product import observed
from tests.containers.said import Said
from tests.identity.node import RUNC, Runtime


class Everything:
    """The whole run: pods, their sandboxes, what the runtime did inside their cgroups."""

    claim = "every record of these rows"
    owners: frozenset[str] = frozenset()

    def __init__(self, runtime: str = "runc") -> None:
        self.runtime = runtime

    def before(self, cluster: Cluster) -> None:
        """Nothing."""

    def act(self, cluster: Cluster) -> str:
        return f"all that happened in the pods, what {self.runtime} did in their cgroups included"

    def look(self, said: Said) -> str:
        nameless, unresolved = said.nameless(but=FALSE_ID), said.unresolved(but=FALSE_ID)
        hold(not nameless, f"{nameless} of {said.records} records without a pod and a workload")
        hold(not unresolved, f"unresolved: {unresolved[:5]}")
        hold(not said.losses(), f"lost: {dict(said.losses())}")
        return "every event and window but the forged cgroup's has pod, container and workload; 0 lost"


def scenes(short_pods: int, at_once: int) -> list[Scene]:
    return [Short(short_pods, at_once), *shared("runc"), Layouts(), Everything()]


def shared(runtime: str) -> list[Scene]:
    """What every runtime's containers do."""
    kinds = (Restart, Exec, Companions, HostNetwork, Before, Nested, Moves, Intruder, Forged)
    return [kind(runtime) for kind in kinds]


def acted(
    wanted: Sequence[Scene],
    say: Callable[[str], None] = lambda text: None,
    runtime: Runtime = RUNC,
    known_first: frozenset[str] = frozenset(),
) -> list[Row]:
    """One row for each scene, in order; one more where a workload was never listed.

    Args:
        known_first: Workloads that must have been listed before the first scene is acted.
    """
    say("containerd begins")
    made = tempfile.TemporaryDirectory(prefix="driftline-pods-")
    with made as folder, clusters.started(Path(folder), runtime) as cluster:
        for scene in wanted:
            scene.before(cluster)
        say("driftline begins")
        with observed(cluster) as product:
            lacking = product.settle(known_first)
            done = [_done(scene, cluster, say) for scene in wanted]
            lacking |= product.settle({owner for scene in wanted for owner in scene.owners})
            live = product.workloads()
            product.stop()
            said = Said(product.records())
            made_up = len(said.made_up(live, but=FALSE_ID))
            say(
                f"(owners were known within {said.slowest():.2f} s of the 5 that they may take; {made_up} unresolved live)"
            )
    rows = [row(scene, what, said) if ok else Row(scene.claim, what, "not done", False)
            for scene, (what, ok) in zip(wanted, done, strict=True)]  # fmt: skip
    if lacking:  # red, whatever the trace says
        rows.append(Row("every workload is listed", "all of these rows", f"not listed: {sorted(lacking)}", False))
    return rows


def _done(scene: Scene, cluster: Cluster, say: Callable[[str], None]) -> tuple[str, bool]:
    """What a scene did; whether it could. One that failed must not hide the others."""
    say(scene.claim)
    try:
        return scene.act(cluster), True
    except Exception as e:
        return f"failed: {type(e).__name__}: {e}"[:600], False
