"""A trace through the same pipeline that judges live: records in, findings out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from classifier.pipeline import Pipeline

from console.cli.policies import named
from console.cli.records import time_of
from wire.records import Record


def replayed(
    records: Iterable[Record], *, policy: str = "default", time_scale: float | None = None, until: float | None = None
) -> list[Any]:
    """The findings of a stream, each in its last state, in the order in which they appeared."""
    pipeline = Pipeline(named(policy, time_scale))
    chosen = records if until is None else takewhile(lambda record: time_of(record) <= until, records)
    found: dict[str, Any] = {}
    for record in chosen:
        for finding in pipeline.feed(record):
            found[finding.id] = finding
    return list(found.values())
