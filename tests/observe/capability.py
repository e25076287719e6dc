"""What a kernel test needs: failed where the run demands it, else skipped with the reason."""

from __future__ import annotations

import os

import pytest

# Reasons that are no gap of the run: what such a test asks is asked somewhere else.
ELSEWHERE = ("asked in `make kernel`: ", "asked in `make bench`: ")


def required() -> bool:
    """Whether a skip is a failure (see tests/conftest.py), as in the project's CI."""
    return os.environ.get("DRIFTLINE_REQUIRE_KERNEL") == "1"


def elsewhere(reason: str) -> bool:
    return reason.startswith(ELSEWHERE)


def need(present: bool, what: str) -> None:
    """Skips the test without `what`."""
    possible("" if present else f"needs {what}")


def possible(obstacle: str) -> None:
    """The same for a reason why it cannot be; "" for none."""
    if obstacle:
        pytest.skip(obstacle)
