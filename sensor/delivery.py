"""The road to the classifier, spooled on disk while nobody listens, such that a killed sensor counts nothing twice.

Counters are told again from what was delivered (`sensor/observe/told.py`), so windows that a killed sensor left in its spool
would say the same twice. They go when the sensor starts again; events in the spool cannot be told again and become a gap. A
sensor that was stopped has noted that its spool stands for what it told, and the spool is sent.
"""

from __future__ import annotations

import logging
from pathlib import Path

from wire.bus import Sender
from wire.loss import Loss
from wire.records import Event, Record
from wire.spool import Spool, record_of

log = logging.getLogger("driftline.sensor")
SPOOL = 256 << 20  # bytes on disk
CLOSED = "closed"  # file in the spool's folder after a clean end


class Delivery:
    """A sink with a spool in `folder`."""

    def __init__(self, address: Path, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mark, self._kept = folder / CLOSED, False
        lost = Loss() if self._mark.exists() else _forgotten(folder)
        self._mark.unlink(missing_ok=True)
        self._sender = Sender(address, folder)
        for gap in lost.gaps():
            log.warning("the sensor was killed with events in its spool: %s", gap.reason)
            self._sender.send(gap)

    def send(self, record: Record) -> None:
        """Puts a record behind all others."""
        self._sender.send(record)

    def pump(self, timeout: float = 0.0) -> bool:
        """Connects, writes and reads as far as it goes."""
        return self._sender.pump(timeout)

    @property
    def idle(self) -> bool:
        """Whether everything is acknowledged, or after the end lies in the spool."""
        return self._kept or self._sender.idle

    @property
    def waiting(self) -> int:
        """Bytes that are not acknowledged."""
        return self._sender.waiting

    def close(self) -> None:
        """Sends what goes in a second and spools the rest."""
        self._sender.close()
        self._kept = not self._sender.error.startswith("spool")
        if self._kept:
            self._mark.touch()


def _forgotten(folder: Path) -> Loss:
    """Empties the spool of a killed sensor; its events are lost, everything else will be told again."""
    lost = Loss()
    spool = Spool(folder, SPOOL, lambda frame, why: None)
    while frames := spool.take():
        for record in (record_of(queued.frame) for queued in frames):
            if record is None or isinstance(record, Event):
                lost.add(record)
        spool.release()
    return lost
