"""Waiting for a condition, on a machine that does other things too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

PACE = float(
    os.environ.get("DRIFTLINE_TEST_PACE", "1")
)  # how much longer everything may take here: more under emulation
DEADLINE = 60.0 * PACE  # seconds
T = TypeVar("T")


def until(found: Callable[[], T], what: str = "", *, seconds: float = DEADLINE, pause: float = 0.02) -> T:
    """The first true answer. Raises TimeoutError.

    Args:
        pause: seconds between two looks; more where a look takes time from who is waited for, as all do under emulation.
    """
    end = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s for {what or found}")
        time.sleep(pause * PACE)
    return answer
