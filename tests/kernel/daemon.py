"""A sensor as a process of its own, which a test can kill: what it sends is appended to a file, frame by frame.

python -m tests.kernel.daemon NAME SCOPE RUN_DIR OUT KEEP
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgpack

from sensor.agent import Agent
from sensor.stopping import Stop
from tests.kernel.lab import settings
from wire import codec
from wire.records import Record


class FileSink:
    """Everything that was sent is in the file, so it is delivered at once; a kill leaves the page cache whole.

    The file is a row of blocks: frames, and what they told. A round of windows is one block, so that a kill cuts it as a whole
    and a successor goes on behind it, as `sensor.delivery` lets it; empty: what was told is noted in the kernel.
    """

    idle = True

    def __init__(self, path: Path) -> None:
        found, end = blocks(path)
        self.told = next((told for _, told in reversed(found) if told is not None), None) or None
        self._round: list[bytes] | None = None  # frames of the one that is under way
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.ftruncate(self._fd, end)

    def send(self, record: Record) -> None:
        frame = codec.encode(record)
        if self._round is None:
            self._write([frame], None)
        else:
            self._round.append(frame)

    def begin_round(self) -> None:
        self._round = []

    def end_round(self, told: Any) -> None:
        frames, self._round = self._round, None
        self._write(frames, told)

    def settled(self) -> None:
        self._write([], [])

    def _write(self, frames: list[bytes], told: Any) -> None:
        os.write(self._fd, msgpack.packb((frames, told)))

    def pump(self, timeout: float = 0.0) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


def blocks(path: Path, start: int = 0) -> tuple[list[tuple[list[bytes], Any]], int]:
    """Whole blocks of a file from a place on, and where they end."""
    found, end = [], start
    read = msgpack.Unpacker(use_list=False, strict_map_key=False)
    if path.exists():
        with path.open("rb") as file:
            file.seek(start)
            read.feed(file.read())
    for block in read:  # one that was cut by a kill ends it
        found.append(block)
        end = start + read.tell()
    return found, end


class Sent:
    """Records of a file that grows. Each is read once, so that who waits for one takes no time from who writes it."""

    def __init__(self, path: Path) -> None:
        self._path, self._end = path, 0
        self._records: list[Record] = []

    @property
    def records(self) -> list[Record]:
        """Everything so far."""
        found, self._end = blocks(self._path, self._end)
        self._records += (codec.decode(frame) for frames, _ in found for frame in frames)
        return self._records


def sent(path: Path) -> list[Record]:
    """Records of a file."""
    return Sent(path).records


def main(name: str, scope: str, run_dir: str, out: str, keep: str) -> None:
    chosen = settings(name, scope, run_dir, keep_pinned=keep == "keep")
    Agent(chosen, FileSink(Path(out)), stop=Stop().listen()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
