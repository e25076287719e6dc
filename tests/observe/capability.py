"""What a kernel test needs: failed where the run demands it, else skipped with the reason."""

from __future__ import annotations

import os

import pytest


def need(present: bool, what: str) -> None:
    """Ends the test without `what`: with a failure where DRIFTLINE_REQUIRE_KERNEL=1 is set, as in the project's CI."""
    possible("" if present else f"needs {what}")


def possible(obstacle: str) -> None:
    """The same for a reason why it cannot be; "" for none."""
    if not obstacle:
        return
    if os.environ.get("DRIFTLINE_REQUIRE_KERNEL") == "1":
        pytest.fail(obstacle)
    pytest.skip(obstacle)
