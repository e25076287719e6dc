"""Captures of other tools into one trace, with the counts by which one can check that all arrived."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from console.cli.failure import Failure
from console.cli.records import kind_of
from sensor.importers import registry
from wire.records import Record
from wire.trace import Writer

Watch = Callable[[Iterable[Record]], Iterable[Record]]
NAMES = {importer: name for name, importer in registry.IMPORTERS.items()}
NUMBERS = {"events": "events", "calls": "system calls", "unparsed": "unreadable", "late": "late"}
TABLES = {"by_kind": "kind {}", "by_type": "type {}", "lost": "lost: {}"}


def write(
    files: Sequence[str], output: str, chosen: str = "auto", *, watch: Watch = lambda records: records, **wanted: Any
) -> dict[str, Any]:
    """Write one trace of all files, one after another; what was found in them and what was written.

    `wanted` goes to the importer: `interval` in seconds, `workload`; None is left to it.
    """
    options = {name: value for name, value in wanted.items() if value is not None}
    counts: Counter[str] = Counter()
    formats: dict[str, str] = {}
    damage: dict[str, str] = {}
    part = f"{output}.part"  # a failed import neither leaves half a trace nor replaces a whole one
    try:
        with Writer(part) as writer:
            for file in files:
                importer = registry.detect(file) if chosen == "auto" else registry.IMPORTERS[chosen]
                formats[file] = NAMES[importer]
                found = importer.records(file, **options)
                for record in watch(found):
                    writer.add(record)
                    counts[f"record {kind_of(record)}"] += 1
                if not found.summary.events:
                    raise Failure(f"{file}: nothing in it reads as {formats[file]}", "name what it is with --format")
                counts.update(counted(found.summary))
                if found.summary.damage:
                    damage[file] = found.summary.damage
        os.replace(part, output)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)
    return {
        "output": output,
        "formats": formats,
        "records": writer.records,
        "counts": dict(sorted(counts.items())),
        "damage": damage,
    }


def counted(summary: Any) -> dict[str, int]:
    """An import's summary as one flat table, nothing that is 0."""
    rows = {name: getattr(summary, field) for field, name in NUMBERS.items()}
    for field, name in TABLES.items():
        rows |= {name.format(key): number for key, number in getattr(summary, field).items()}
    return {name: number for name, number in rows.items() if number}
