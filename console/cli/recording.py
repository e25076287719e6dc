"""The sensor with a trace file where the classifier's socket would be."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from console.settings import Settings
from sensor.agent import Agent
from sensor.capture import Recorder
from sensor.stopping import Stop
from wire.records import Record
from wire.trace import Writer

FLUSH = 2.0  # seconds of records that a kill may cost
REPLICAS = 8192  # that one full capture can tell apart


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
    agent = Agent(chosen, TraceSink(output), stop=Stop().listen())
    seconds = _run(agent, duration)
    return {"file": output, "seconds": seconds, **dict(sorted(agent.sent.items()))}


def record_calls(settings: Settings, output: str, *, duration: float | None = None, **wanted: Any) -> dict[str, Any]:
    """The same with a row for every system call, into a full capture."""
    wanted["name"] = wanted.get("name") or f"record-{os.getpid()}"
    chosen = settings.sensor(keep_pinned=False, **wanted)
    # Slots are not given back while a capture runs: a slot of it is one replica.
    chosen = replace(chosen, probes=("capture",), sizes=replace(chosen.sizes, slots=max(REPLICAS, chosen.sizes.slots)))
    recorder = Recorder(chosen, output, stop=Stop().listen())
    return {"file": output, "seconds": _run(recorder, duration), **recorder.summary()}


def _run(running: Agent | Recorder, duration: float | None) -> float:
    """Seconds that it ran, until a signal or the end of the duration."""
    begun = time.monotonic()
    timer = threading.Timer(duration, running.stop) if duration else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        running.run()
    finally:
        if timer is not None:
            timer.cancel()
    return round(time.monotonic() - begun, 1)
