"""A trace through the pipeline with an audit trail beside it: the rows that the running classifier would have written."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from classifier.pipeline import Pipeline
from console.cli.failure import Failure
from console.cli.policies import named
from console.cli.records import time_of
from wire.records import Record

HOUR, ANSWER = 3600.0, 86_400.0  # seconds; as audit.answer


def audited(
    records: Iterable[Record], folder: str, *, policy: str = "default", time_scale: float | None = None,
    until: float | None = None,
) -> Pipeline:  # fmt: skip
    """The pipeline after a stream, its trail written into a folder that held none; the clock is the stream's.

    Raises:
        Failure: There is a trail already.
    """
    from guard.audit.attendant import key_for
    from guard.audit.ledger import Ledger
    from guard.audit.sources import Replayed
    from guard.audit.writer import Writer

    ledger = Ledger(Path(folder), writer=True)
    try:
        if ledger.size:
            raise Failure(f"{folder}: there is a trail already", "name a new folder; a replay begins one")
        source = Replayed(Pipeline(named(policy, time_scale)))
        writer = Writer(ledger, key_for(ledger, Path(folder) / "key.pem"), source, mode="replay")
        looked = 0.0
        for record in records if until is None else takewhile(lambda r: time_of(r) <= until, records):
            source.take(record)
            if source.waiting:
                writer.turn(source.now)
            if source.now - looked >= HOUR:
                looked = source.now
                writer.unanswered(looked, ANSWER)
        writer.turn(source.now)
    finally:
        ledger.close()
    return source.pipeline
