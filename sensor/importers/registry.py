"""Which importer reads a file: the first whose `sniff` knows its beginning."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from sensor.importers import scap, sequence, strace
from wire.blocks import TraceError

IMPORTERS: dict[str, ModuleType] = {"scap": scap, "strace": strace, "sequence": sequence}
BEGINNING = 65536  # bytes that are looked at


def detect(path: str | Path) -> ModuleType:
    """The importer of a file.

    Raises:
        TraceError: The file cannot be opened, or no importer knows it.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            first = file.read(BEGINNING)
    except OSError as e:
        raise TraceError(f"{path}: cannot be opened: {e.strerror}; check the path") from e
    for module in IMPORTERS.values():
        if module.sniff(first, path.name):
            return module
    raise TraceError(f"{path}: no importer knows this file; name one of {', '.join(IMPORTERS)} with --format")
