"""Plain sequences of system-call numbers become the stream: one trace, one replica.

Two layouts: numbers between white space, one trace a line (or a file); and a table with the columns split, label,
family, session, name, n and seq between tabs, as public research sets are kept here (may be gzip-compressed). Sequences
have no time: each call is taken to last a millisecond, and each trace begins with a new window. The head says so.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from sensor.importers.windows import Import, Summary, cgroup_id, head
from wire import grams
from wire.blocks import TraceError
from wire.records import Identity, Record, Replica, Tick, Window, Workload
from wire.syscalls import BEYOND

PERIOD = 0.001  # seconds that one call is taken to last
LONGEST = 64 << 20  # bytes of a line: a trace of some ten million calls
COLUMNS = ["split", "label", "family", "session", "name", "n", "seq"]
NUMBERS = re.compile(rb"[0-9\s]+")
GZIP = b"\x1f\x8b"
MISSES = (
    "times: they are made up from the place in the sequence, a millisecond a call",
    "everything but the numbers of calls: no arguments, processes, files or connections",
)


@dataclass(frozen=True, slots=True)
class Sequence:
    """One trace."""

    split: str
    label: str
    family: str
    name: str
    calls: np.ndarray  # int64 numbers


def sniff(first: bytes, name: str) -> bool:
    """Whether a file that begins so is one of the two layouts; of a compressed one, the name decides."""
    if first[:2] == GZIP:
        return name.endswith((".tsv.gz", ".seq.gz", ".txt.gz"))
    return first.startswith(b"\t".join(c.encode() for c in COLUMNS)) or bool(
        first.strip() and NUMBERS.fullmatch(first[:4096])
    )


def records(
    path: str | Path,
    *,
    interval: float = 10.0,
    workload: str | None = None,
    node: str = "sequence",
    arch: str = "x86_64",
    split: str | None = None,
    label: str | None = None,
    family: str | None = None,
) -> Import:
    """The stream of a file of sequences.

    Args:
        interval: seconds of a window, so a thousand times as many calls.
        workload: the owner of all traces; by default their family, or the file's name where there is none.
        arch: decides what the numbers mean; research sets are often i386.
        split, label, family: take only the traces with this value.
    Raises:
        TraceError: no such file, or it is damaged, after everything before the damage was given out.
    """
    summary = Summary()
    wanted = {"split": split, "label": label, "family": family}
    settings = (interval, workload, node, arch)
    return Import(_stream(Path(path), settings, {k: v for k, v in wanted.items() if v is not None}, summary), summary)


def sequences(path: str | Path, summary: Summary | None = None) -> Iterator[Sequence]:
    """The traces of a file, without the stream around them. Lines that are none are counted as unparsed."""
    path, summary = Path(path), summary if summary is not None else Summary()
    with _opened(path) as file:
        table = None
        for number, line in enumerate(_lines(file, path), 1):
            if table is None:
                table = line.startswith(b"split\t")
                if table:
                    continue
            found = _row(line) if table else _plain(line, f"{path.name}:{number}")
            if found is None:
                summary.unparsed += bool(line.strip())
            else:
                yield found


def _opened(path: Path) -> BinaryIO:
    try:
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
        zipped = file.read(2) == GZIP
        file.seek(0)
    except OSError as e:
        raise TraceError(f"{path}: cannot be opened: {e.strerror}; check the path") from e
    return gzip.open(file, "rb") if zipped else file


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        while line := file.readline(LONGEST):
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise TraceError(f"{path}: cannot be decompressed to its end ({e}); restore the file from a copy") from e


def _row(line: bytes) -> Sequence | None:
    cells = line.rstrip(b"\r\n").split(b"\t")
    if len(cells) != len(COLUMNS):
        return None
    calls = _numbers(cells[6])
    if calls is None or not cells[5].isdigit() or int(cells[5][:12]) != len(calls):
        return None
    words = [c.decode("utf-8", "backslashreplace") for c in cells[:5]]
    return Sequence(words[0], words[1], words[2], f"{words[2]}/{words[3]}/{words[4]}", calls)


def _plain(line: bytes, name: str) -> Sequence | None:
    calls = _numbers(line)
    return Sequence("", "", "", name, calls) if calls is not None and len(calls) else None


def _numbers(text: bytes) -> np.ndarray | None:
    """Numbers between white space, or None if there is anything else; a huge one counts as the largest."""
    if not text.strip():
        return np.empty(0, np.int64)
    if not NUMBERS.fullmatch(text):
        return None
    return np.fromstring(text.decode("ascii"), dtype=np.int64, sep=" ")


def _stream(path: Path, settings: tuple, wanted: dict[str, str], summary: Summary) -> Iterator[Record]:
    interval, workload, node, arch = settings
    epoch = xxhash.xxh3_64_hexdigest(f"{path.name} {interval} {sorted(wanted.items())}".encode())[:12]
    yield head("sequence", 0.0, node=node, epoch=epoch, interval=interval, arch=arch, misses=MISSES)
    start = 0.0
    for found in sequences(path, summary):
        if any(getattr(found, k) != v for k, v in wanted.items()):
            continue
        summary.by_kind["trace"] += 1
        summary.saw(f"{found.split} {found.label} {found.family}".strip())
        summary.events += len(found.calls)
        owner = workload or f"import/{node}/Trace/{_family(found, path)}/{_family(found, path)}"
        replica = Replica(node, cgroup_id(f"/sequence/{found.name}/{summary.by_kind['trace']}"))
        yield Identity(
            start, replica, f"/sequence/{found.name}", Workload(owner), None, "import", startup_observed=True
        )
        for window in _windows(found.calls, replica, start, interval):
            summary.calls += sum(window.syscalls.values()) + window.foreign
            yield window
            start = window.end
            yield Tick(node, start)


def _family(found: Sequence, path: Path) -> str:
    return (found.family or path.name.partition(".")[0]).replace("/", "-") or "trace"


def _windows(calls: np.ndarray, replica: Replica, start: float, interval: float) -> Iterator[Window]:
    """Windows of one trace, each with as many calls as fit its interval."""
    symbols = np.minimum(calls, BEYOND)
    padded = np.concatenate(([grams.NONE, grams.NONE], symbols))
    packed = grams.pack(padded[:-2], padded[1:-1], padded[2:])
    values, firsts = np.unique(packed, return_index=True)
    size = max(int(interval / PERIOD), 1)
    for at in range(0, len(calls), size):
        part = symbols[at : at + size]
        counts = np.bincount(part[part < BEYOND])
        known = {int(n): int(counts[n]) for n in np.flatnonzero(counts)}
        fresh = values[(firsts >= at) & (firsts < at + size)]
        foreign = int(np.count_nonzero(part == BEYOND))
        yield Window(replica, start, start + interval, (), known, tuple(fresh.tolist()), foreign)
        start += interval
