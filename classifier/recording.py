"""A live run as a trace file: every accepted record in the order in which the pipeline took it.

A restart cannot continue a trace file, so each start writes a part of its own: ``run.trace``, ``run.trace.2``, … The
parts together are the stream without a gap or a repetition: what a killed part did not bring to the disk is still in the
journal and begins the next one.
"""

from __future__ import annotations

from pathlib import Path

from classifier.store.store import Accepted, Store
from wire.trace import TraceError, Writer, read

KEY = "trace parts"


class NoTrace:
    """Nothing is recorded."""

    def add(self, accepted: Accepted) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Trace:
    """The part of this start. `flush` must come before the journal is cut.

    Args:
        fed: `seq` of the frame after which this start begins to feed.
    Raises:
        TraceError: The place cannot be written, or an earlier part cannot be read.
        NotNow: The store cannot note the new part.
    """

    def __init__(self, path: Path, store: Store, fed: int):
        behind = _behind(store, path)
        # A part that never came to the disk leaves its number to the next.
        while behind and not _part(path, len(behind)).exists():
            behind.pop()
        self._after = behind[-1] + _records(_part(path, len(behind))) if behind else fed
        self._writer = Writer(_part(path, len(behind) + 1))
        store.note(KEY, {"path": str(path), "behind": [*behind, self._after]})

    def add(self, accepted: Accepted) -> None:
        """Record it, unless an earlier part has it."""
        if accepted.seq > self._after:
            self._writer.add(accepted.record)

    def flush(self) -> None:
        """Bring everything to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Complete the part."""
        self._writer.close()


def _behind(store: Store, path: Path) -> list[int]:
    """The `seq` that each earlier part began behind."""
    noted = store.noted(KEY)
    return list(noted["behind"]) if isinstance(noted, dict) and noted.get("path") == str(path) else []


def _part(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.name}.{number}")


def _records(path: Path) -> int:
    count = 0
    try:
        for _ in read(path):
            count += 1
    except TraceError:  # killed while it wrote: its whole blocks count
        pass
    return count
