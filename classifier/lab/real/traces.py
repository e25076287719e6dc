"""Tables of system-call sequences to traces, and traces to arrays.

The layout is the importer's (tabs; split, label, family, session, name, n, seq); read here again because the sensor's
package is none of the classifier's.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifier.lab.real.table import DataError

COLUMNS = ["split", "label", "family", "session", "name", "n", "seq"]
BEYOND = 512  # of the table: one symbol
LONGEST = 64 << 20  # bytes of a line


@dataclass(frozen=True, slots=True)
class Trace:
    """One process."""

    split: str
    attack: bool
    family: str
    calls: np.ndarray  # int64 numbers, at most BEYOND


def read(path: Path) -> list[Trace]:
    """All traces of a table.

    Raises:
        DataError: It cannot be read, or is none.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            lines = iter(lambda: file.readline(LONGEST), b"")
            return list(_traces(lines, path))
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(f"{path}: cannot be read ({e}); restore the file from its source") from e


def _traces(lines: Iterator[bytes], path: Path) -> Iterator[Trace]:
    for number, line in enumerate(lines, 1):
        cells = line.rstrip(b"\r\n").split(b"\t")
        if number == 1 and [c.decode("utf-8", "replace") for c in cells] != COLUMNS:
            raise DataError(f"{path}: the first line is not {' '.join(COLUMNS)}; give the table its heading")
        if number > 1:
            yield _trace(cells, f"{path}: line {number}")


def _trace(cells: list[bytes], where: str) -> Trace:
    try:
        split, label, family, _, _, n, text = (c.decode("utf-8", "backslashreplace") for c in cells)
        calls = np.array(text.split(), dtype=np.int64)
        if len(calls) != int(n) or (calls < 0).any():
            raise ValueError
    except (ValueError, OverflowError) as e:
        raise DataError(f"{where}: is no trace with {len(COLUMNS)} cells and n numbers; remove the line") from e
    return Trace(split, label != "normal", family, np.minimum(calls, BEYOND))


class Grams:
    """All n-grams of some traces as one array of codes, with the trace each is of."""

    def __init__(self, traces: list[Trace], n: int) -> None:
        self.count = len(traces)
        lengths = np.array([max(len(t.calls) - n + 1, 0) for t in traces], dtype=np.int64)
        self.owner = np.repeat(np.arange(len(traces)), lengths)
        self.code = np.concatenate([_codes(t.calls, n) for t in traces]) if traces else np.empty(0, np.int64)

    def distinct(self) -> Grams:
        """Each code once a trace."""
        out = object.__new__(Grams)
        order = np.lexsort((self.code, self.owner))
        code, owner = self.code[order], self.owner[order]
        first = np.ones(len(code), bool)
        first[1:] = (code[1:] != code[:-1]) | (owner[1:] != owner[:-1])
        out.count, out.code, out.owner = self.count, code[first], owner[first]
        return out

    def share(self, marked: np.ndarray) -> np.ndarray:
        """Share of marked grams in each trace; 0 in a trace without any."""
        total = np.bincount(self.owner, minlength=self.count)
        return np.bincount(self.owner, marked, self.count) / np.maximum(total, 1)


def _codes(calls: np.ndarray, n: int) -> np.ndarray:
    size = max(len(calls) - n + 1, 0)
    code = np.zeros(size, np.int64)
    for i in range(n):
        code = code << 10 | calls[i : i + size] + 1
    return code


def bags(traces: list[Trace]) -> np.ndarray:
    """Calls per trace and number."""
    return np.array([np.bincount(t.calls, minlength=BEYOND + 1) for t in traces])
