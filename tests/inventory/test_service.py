"""A running classifier is asked over its control socket, killed, and asked again."""

from __future__ import annotations

import pytest

from classifier.inventory.moment import shown
from classifier.inventory.view import read
from tests.fixtures import fx7
from tests.fixtures.fx7 import MINUTE, SWAP, WORKLOAD
from tests.service.conftest import daemon  # noqa: F401
from tests.service.daemon import quote


def weights(answer, at: float) -> set[str]:
    return {i["name"] for i in shown(read(answer), at)["items"] if i["kind"] == "model" and i["basis"] == "verified"}


@pytest.mark.parametrize("killed", [False, True], ids=["running", "after-a-kill"])
def test_three_moments_over_the_control_socket(daemon, killed):  # noqa: F811
    d = daemon().start()
    d.send(fx7.fx7())
    if killed:
        d.kill()
        d.start()
    status, answer = d.get(f"/inventory/{quote(WORKLOAD, safe='')}")
    assert status == 200
    assert [weights(answer, SWAP + m * MINUTE) for m in (-1, 2)] == [{"model-b"}, {"model-b", "model-c"}]
    assert d.get("/inventory/nobody")[0] == 404
    assert {r["workload"]: r["state"] for r in d.get("/inventory")[1]}[WORKLOAD] == "unregistered_agent"
    assert d.stop() == 0
