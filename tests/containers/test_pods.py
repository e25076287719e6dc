"""The short form of `make containers`: fewer pods and no rollout, under the same real containerd, sensor and classifier."""

from __future__ import annotations

import pytest

from tests.containers import cluster, run
from tests.containers.cgroups import Forged, Intruder, Moves, Nested
from tests.containers.layouts import Layouts
from tests.containers.pods import Before, Companions, Exec, HostNetwork, Restart
from tests.observe.capability import need

pytestmark = pytest.mark.kernel
PODS = 16
CLAIMS = [f"{PODS} pods that live two seconds", run.Everything.claim]
CLAIMS += [s.claim for s in (Before, Companions, Exec, Forged, HostNetwork, Intruder, Moves, Nested, Restart)]


@pytest.fixture(scope="module")
def rows():
    pytest.importorskip("cri_api")
    need(not cluster.missing(), cluster.missing())
    return {row.claim: row for row in run.acted(run.scenes(PODS, at_once=8))}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_pods_do_is_seen_under_their_own_names(rows, claim):
    assert rows[claim].holds, f"{rows[claim].done}: {rows[claim].seen}"


def test_each_scene_is_a_test_here(rows):
    assert set(rows) == {*CLAIMS, Layouts().claim}
