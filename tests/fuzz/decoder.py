"""What one row of the table of decoders holds."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.damage import damaged


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder. A round makes a case of one whole input and reads it."""

    name: str
    whole: Callable[[], list[Any]]  # inputs that are read without an error, made once
    read: Callable[[Any], object]
    refusals: tuple[type[BaseException], ...] = ()  # what it may answer to a damaged case
    harm: Callable[[random.Random, Any], Any] = damaged  # whole input → case
    seconds: float = 5.0  # of CPU time that no case may take; most take a millisecond
    memory: int = 192 << 10  # KiB that a run may grow by


@cache
def folder() -> Path:
    """Where cases become files; of this process, gone at its end."""
    made = tempfile.TemporaryDirectory(prefix="driftline-fuzz-")
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@contextmanager
def tempfolder() -> Iterator[Path]:
    """A folder of its own for whoever keeps more than one file."""
    with tempfile.TemporaryDirectory(dir=folder()) as name:
        yield Path(name)


def by_path(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of files as a reader of bytes."""

    def from_bytes(data: bytes) -> object:
        path = folder() / "case"
        path.write_bytes(data)
        return read(path)

    return from_bytes


def written(make: Callable[[Path], object]) -> bytes:
    """What `make` writes to a path, as bytes."""
    path = folder() / "whole"
    path.unlink(missing_ok=True)
    make(path)
    return path.read_bytes()
