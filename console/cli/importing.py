"""Captures of other tools into one trace, with the counts by which one can check that all arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from console.cli.records import kind_of
from sensor.importers import registry
from wire.records import Event, Record, Window
from wire.trace import Writer

Watch = Callable[[Iterable[Record]], Iterable[Record]]


def write(files: Sequence[str], output: str, chosen: str, *, watch: Watch = lambda records: records) -> dict[str, Any]:
    """Write one trace of all files, one after another; what was imported, by kind."""
    counts: Counter[str] = Counter()
    formats = {}
    with Writer(output) as writer:
        for file in files:
            formats[file] = registry.detect(Path(file)) if chosen == "auto" else chosen
            for record in watch(_records(file, formats[file])):
                writer.add(record)
                _count(counts, record)
    return {"output": output, "formats": formats, "records": writer.records, "counts": dict(sorted(counts.items()))}


def _records(file: str, name: str) -> Iterator[Record]:
    return registry.FORMATS[name].records(Path(file))


def _count(counts: Counter[str], record: Record) -> None:
    counts[f"{kind_of(record)} records"] += 1
    if isinstance(record, Event):
        counts[f"{record.kind} events"] += 1
    elif isinstance(record, Window):
        counts["system calls"] += sum(record.syscalls.values())
        counts["sequences"] += len(record.grams)
        for what, lost in record.loss.items():
            counts[f"lost: {what}"] += lost
