"""The sensor with a trace file where the classifier's socket would be."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from console.settings import Settings
from sensor.agent import Agent
from wire.records import Record
from wire.trace import Writer

FLUSH = 2.0  # seconds of records that a kill may cost


class TraceSink:
    """Takes the sensor's records into a trace file, and brings them to the disk every few seconds."""

    def __init__(self, path: str | Path) -> None:
        self._writer = Writer(path)
        self._flushed = time.monotonic()

    def send(self, record: Record) -> None:
        """Take one record."""
        self._writer.add(record)

    def pump(self, timeout: float = 0.0) -> None:
        """Write what waits, where it has waited long enough."""
        now = time.monotonic()
        if now - self._flushed > FLUSH:
            self._flushed = now
            self._writer.flush()

    @property
    def idle(self) -> bool:
        """A recording acknowledges nothing; what it has taken is told."""
        return True

    def close(self) -> None:
        """Mark the file as complete."""
        self._writer.close()


def record(settings: Settings, output: str, *, duration: float | None = None, **wanted: Any) -> dict[str, Any]:
    """Record until a signal, or for so many seconds; what was recorded, by kind.

    The instance has a name of its own, so a running sensor is not disturbed, and leaves nothing in the kernel.
    """
    wanted["name"] = wanted.get("name") or f"record-{os.getpid()}"
    chosen = settings.sensor(keep_pinned=False, **wanted)
    begun = time.monotonic()
    agent = Agent(chosen, TraceSink(output))
    timer = threading.Timer(duration, agent.stop) if duration else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        agent.run()
    finally:
        if timer is not None:
            timer.cancel()
    return {"file": output, "seconds": round(time.monotonic() - begun, 1), **dict(sorted(agent.sent.items()))}
