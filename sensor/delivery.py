"""The road to the classifier, spooled on disk while nobody listens, such that a killed sensor counts nothing twice.

Counters are told again from what was delivered (`sensor/observe/told.py`), so windows that a killed sensor left in its spool
would say the same twice. They go when the sensor starts again, but for the rounds that were kept with what they told
(`sensor/rounds.py`); events in the spool cannot be told again and become a gap. A sensor that was stopped has noted that its
spool stands for what it told, and the spool is sent.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sensor.rounds import Rounds
from wire.bus import Sender
from wire.loss import Loss
from wire.records import Event, Record
from wire.spool import Spool, record_of

log = logging.getLogger("driftline.sensor")
SPOOL = 256 << 20  # bytes on disk
ROUND = "round"  # file in the spool's folder
CLOSED = "closed"  # file in the spool's folder after a clean end


class Delivery:
    """A sink with a spool in `folder`."""

    def __init__(self, address: Path, folder: Path, *, node: str = "") -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mark, self._kept = folder / CLOSED, False
        clean = self._mark.exists()
        lost = Loss() if clean else _forgotten(folder)
        self._mark.unlink(missing_ok=True)
        self._rounds, self._in_round = Rounds(folder / ROUND), False
        if clean:
            self._rounds.settled()
        elif self._rounds.frames:
            Spool(folder, SPOOL, lambda frame, why: None).append(self._rounds.frames)
        self.told = self._rounds.state  # what a killed sensor's rounds told, which are sent again
        self._sender = Sender(address, folder, node=node)
        for gap in lost.gaps():
            log.warning("the sensor was killed with events in its spool: %s", gap.reason)
            self._sender.send(gap)

    def send(self, record: Record) -> None:
        """Puts a record behind all others."""
        queued = self._sender.send(record)
        if self._in_round and queued is not None:
            self._rounds.add(queued)

    def begin_round(self) -> None:
        """What is sent from here on says what counters grew."""
        self._in_round = True

    def end_round(self, told: Any) -> None:
        """To be called before the next `pump`, with what the counters are once the round is delivered."""
        self._in_round = False
        self._rounds.keep(told)

    def settled(self) -> None:
        """The delivery is noted beside the counters."""
        self._rounds.settled()

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
