"""Sealed texts to the file, beside the sensor's loop: a disk that is slow or full costs texts, and nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.errands import Errands

if TYPE_CHECKING:
    from sensor.originals.shelf import Original, Shelf

log = logging.getLogger("driftline.sensor")

DAY = 86_400.0  # seconds
QUIET = 60.0  # seconds between two lines of the log


class Writer:
    """Writes what it is given, in its order."""

    def __init__(self, folder: Path, max_bytes: int, days: float) -> None:
        self._folder, self._max_bytes, self._days = folder, max_bytes, days
        self._errands: Errands[tuple[list[Original], float]] = Errands("originals", self._do, urgent=True)
        self._counting = threading.Lock()  # of `held`, which both threads change
        self._shelf: Shelf | None = None
        self._told = -QUIET  # monotonic seconds of the last line of the log
        self._noted: Counter[str] = Counter()  # losses that are in the file
        self._losses: Counter[str] = Counter()  # as the keeper knows them
        self.held = self.kept = self.failures = 0
        self.lost: Counter[str] = Counter()

    def put(self, found: list[Original], now: float, losses: Mapping[str, int]) -> None:
        """Takes sealed texts, to be written at once.

        Args:
            now: seconds, event time.
            losses: what was lost before it came here, by reason.
        """
        self._losses = Counter(losses)
        self._hold(sum(len(o.sealed) for o in found))
        self._errands.put((found, now))

    def close(self) -> None:
        """Waits for what is on its way, for two seconds at most."""
        self._errands.close()
        thread = self._errands.thread
        if self._shelf is not None and not thread.is_alive():
            self._shelf.close()

    def _hold(self, more: int) -> None:
        with self._counting:
            self.held += more

    # in the thread --------------------------------------------------------------------------------------------------

    def _do(self, batch: tuple[list[Original], float]) -> None:
        found, now = batch
        try:
            self._write(found, now)
        except Exception as e:  # the disk is full, or the folder is not ours: texts are lost, the sensor goes on
            self._failed(found, e)
        self._hold(-sum(len(o.sealed) for o in found))

    def _write(self, found: list[Original], now: float) -> None:
        from sensor.originals.shelf import Shelf

        if self._shelf is None:
            self._shelf = Shelf(self._folder, max_bytes=self._max_bytes)
        self._shelf.put(found, before=now - self._days * DAY)
        self.kept += len(found)
        for reason, texts in (self._losses + self.lost - self._noted).items():
            self._shelf.lost(reason, texts)
            self._noted[reason] += texts

    def _failed(self, found: list[Original], e: Exception) -> None:
        self.failures += 1
        self.lost["disk"] += len(found)
        if time.monotonic() - self._told >= QUIET:
            self._told = time.monotonic()
            log.warning("sealed texts are lost: %s", e)
