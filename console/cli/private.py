"""Files that only their owner reads: keys, and what agents said."""

from __future__ import annotations

import os
from pathlib import Path


def write_new(path: Path, data: bytes) -> None:
    """A file that was not there before, on the disk when this returns.

    Raises:
        FileExistsError: Something is there, be it a link to nowhere.
    """
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes) -> None:
    """A whole file, in the place of one that may be there."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_new(part, data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
