"""Frames of windows that were sent and not noted as delivered, on disk with what they told of the counters.

A sensor that is killed after the classifier has kept a round, and before that is noted beside the counters, would tell it
again. Its successor sends the very same frames instead: the classifier knows them by their numbers.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import msgpack

from wire.spool import Queued

LARGEST = 8 << 20  # bytes; while the classifier is away for long, the spool and the counters in the kernel must do


class Rounds:
    """The file. `frames` and `state` are what a killed sensor left; empty and None if nothing."""

    def __init__(self, path: Path) -> None:
        self._path, self._size = path, 0
        self.frames: list[Queued] = []
        self.state: Any = None
        self._read()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, msgpack.UnpackException):
            rows, state = msgpack.unpackb(self._path.read_bytes(), use_list=False)
            self.frames, self.state = [Queued(*row) for row in rows], state
            self._size = sum(len(q.frame) for q in self.frames)

    def add(self, frame: Queued) -> None:
        """One more frame of the round."""
        self._size += len(frame.frame)
        if self._size <= LARGEST:
            self.frames.append(frame)

    def keep(self, state: Any) -> None:
        """Everything up to here told this; to be called before any of it is sent."""
        self.state = state
        if self._size > LARGEST:
            self._path.unlink(missing_ok=True)
            return
        draft = self._path.with_suffix(".new")
        try:
            with open(draft, "wb", opener=_private) as file:
                file.write(msgpack.packb([[(q.epoch, q.number, q.frame) for q in self.frames], state]))
            draft.replace(self._path)
        except OSError:  # the disk is full: then a kill at the wrong moment counts a round twice
            self._path.unlink(missing_ok=True)

    def settled(self) -> None:
        """All of it is delivered, and noted."""
        self._path.unlink(missing_ok=True)
        self.frames, self.state, self._size = [], None, 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
