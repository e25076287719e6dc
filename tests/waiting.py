"""Waiting for a condition, on a machine that does other things too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE = 60.0  # seconds
T = TypeVar("T")


def until(found: Callable[[], T], what: str = "", *, seconds: float = DEADLINE, pause: float = 0.02) -> T:
    """The first true answer. Raises TimeoutError.

    Args:
        pause: seconds between two looks; more where a look takes time from who is waited for.
    """
    end = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s for {what or found}")
        time.sleep(pause)
    return answer
