"""What both daemons owe systemd: readiness, a watchdog that beats only while the loop turns, reload, logs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from console.supervise import notify

LOG_FORMAT = "%(levelname)s %(name)s %(message)s"  # journald and the terminal date it


class Beat:
    """Tells systemd's watchdog that the loop still turns, twice per period that systemd asked for."""

    def __init__(self, period: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = _watchdog() / 2 if period is None else period
        self._clock = clock
        self._next = 0.0

    def __call__(self) -> None:
        """Beat, if it is time to."""
        now = self._clock()
        if self._period and now >= self._next:
            self._next = now + self._period
            notify("WATCHDOG=1")


def _watchdog() -> float:
    """Seconds within which systemd expects a sign; 0 where it expects none."""
    text = os.environ.get("WATCHDOG_USEC", "0")
    return int(text) / 1e6 if text.isdigit() else 0.0


class Beating:
    """A sink that beats whenever the loop comes by."""

    def __init__(self, sink: Any, beat: Beat) -> None:
        self._sink, self._beat = sink, beat

    def send(self, record: Any) -> Any:
        """Hand one record on."""
        return self._sink.send(record)

    def pump(self, timeout: float = 0.0) -> Any:
        """Hand the time on, and beat."""
        self._beat()
        return self._sink.pump(timeout)

    @property
    def idle(self) -> bool:
        """Whether everything that was sent is kept on the other side."""
        return self._sink.idle

    @property
    def waiting(self) -> int:
        """Bytes that are not acknowledged."""
        return self._sink.waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)  # rounds, and what they told

    def close(self) -> Any:
        """Close the sink."""
        return self._sink.close()


def log_to_stderr() -> None:
    """One line per event on stderr; DRIFTLINE_LOG=debug shows more."""
    level = os.environ.get("DRIFTLINE_LOG", "info").upper()
    logging.basicConfig(level=level if level in logging.getLevelNamesMapping() else "INFO", format=LOG_FORMAT)
