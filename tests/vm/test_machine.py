"""A guest that never came up is booted once more; one that came up is never asked twice."""

from pathlib import Path

import pytest

from tests.vm.machine import Machine, Outcome
from tests.vm.packages import Kernel

DEAD = Outcome(None, "no root", {}, begun=False)
RED = Outcome(1, "a test failed", {})
CUT = Outcome(None, "no end", {})
GOOD = Outcome(0, "", {})


@pytest.mark.parametrize(
    "outcomes, wanted",
    [
        pytest.param([GOOD], GOOD, id="good"),
        pytest.param([DEAD, GOOD], GOOD, id="came-up-the-second-time"),
        pytest.param([DEAD, DEAD], DEAD, id="never-came-up"),
        pytest.param([RED], RED, id="red-is-red"),
        pytest.param([CUT], CUT, id="cut-is-cut"),
        pytest.param([DEAD, RED], RED, id="red-at-the-second"),
    ],
)
def test_only_a_boot_that_never_came_up_is_tried_again(monkeypatch, outcomes, wanted):
    left, said = list(outcomes), []
    monkeypatch.setattr(Machine, "_boot", lambda *a: left.pop(0))
    here = Path()
    made = Machine(Kernel("6.1", "6.1.0", here, here), here, here, here, here, here)
    assert made.run("true", seconds=1, say=said.append) is wanted
    assert (left, len(said)) == ([], len(outcomes) - 1)
    assert all("once more" in text for text in said)
