"""A sensor as a process of its own, which a test can kill: what it sends is appended to a file, frame by frame.

python -m tests.kernel.daemon NAME SCOPE RUN_DIR OUT KEEP
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sensor.agent import Agent
from sensor.settings import SensorSettings
from sensor.stopping import Stop
from tests.kernel.lab import SMALL
from wire import codec
from wire.records import Record


class FileSink:
    """Everything that was sent is in the file, so it is delivered at once; a kill leaves the page cache whole."""

    idle = True

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def send(self, record: Record) -> None:
        frame = codec.encode(record)
        os.write(self._fd, len(frame).to_bytes(4, "little") + frame)

    def pump(self, timeout: float = 0.0) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


def sent(path: Path) -> list[Record]:
    """Records of a file; a frame that was cut by a kill ends it."""
    data, at, found = path.read_bytes() if path.exists() else b"", 0, []
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + size > len(data):
            break
        found.append(codec.decode(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def main(name: str, scope: str, run_dir: str, out: str, keep: str) -> None:
    settings = SensorSettings(
        name=name,
        node="lab",
        scope=Path(scope),
        run_dir=Path(run_dir),
        interval=0.2,
        sizes=SMALL,
        keep_pinned=keep == "keep",
        digest=False,
    )
    Agent(settings, FileSink(Path(out)), stop=Stop().listen()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
