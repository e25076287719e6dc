"""What the daemon must still know after it was killed, although the kernel has told it once: names of rows.

An append-only file of msgpack rows. It is written before the ring's space is given back, and the page cache outlives the
process, so a kill loses no name; a crash of the machine loses the kernel's rows as well.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

LARGEST = 16 << 20  # bytes; past that the agent begins anew with what is still true, and a restart forgets the newest


class Memory:
    """Rows of [kind, values …] of one epoch."""

    def __init__(self, path: Path | None, epoch: str) -> None:
        self._path, self._epoch, self._file = path, epoch, None
        self._size = 0  # bytes of the file
        self.full = False

    def recall(self) -> Iterator[list[Any]]:
        """What an earlier daemon of this epoch kept, oldest first; a row that was cut by a kill ends it."""
        if self._path is None or not self._path.exists():
            return
        with self._path.open("rb") as f, contextlib.suppress(msgpack.UnpackException, ValueError, TypeError):
            most = {
                "max_buffer_size": LARGEST,
                "max_array_len": 1 << 16,
                "max_map_len": 1 << 16,
            }  # a damaged length asks for all
            rows = msgpack.Unpacker(f, raw=False, strict_map_key=False, **most)
            if next(rows, None) == self._epoch:
                yield from (r for r in rows if isinstance(r, list) and r)

    def begin(self, rows: list[list[Any]]) -> None:
        """Starts a new file with the rows that are still true."""
        if self._path is None:
            return
        draft = self._path.with_suffix(".new")
        try:
            draft.unlink(missing_ok=True)
            with open(draft, "wb", opener=_private) as f:
                f.write(b"".join(map(msgpack.packb, [self._epoch, *rows])))
            draft.replace(self._path)
            self._file = self._path.open("ab", buffering=0)
            self._size = self._file.tell()
        except OSError:  # the disk is full: go on, a restart will know less
            self._file, self.full = None, False
            return
        self.full = self._size > LARGEST

    def keep(self, *row: Any) -> None:
        if self._file is None or self.full:
            return
        try:
            self._size += self._file.write(msgpack.packb(row)) or 0
        except OSError:  # the disk is full: go on, a restart will know less
            self.full = True
            return
        self.full = self._size > LARGEST


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # it names what workloads open and whom they talk to
