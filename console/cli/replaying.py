"""A trace through the same pipeline that judges live, and its answers in the shape of the running classifier's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from classifier.classes import view as classes
from classifier.drift.finding import finding_to_dict
from classifier.envelope.view import shown
from classifier.inventory import view as inventory
from classifier.links import view as links
from classifier.links.reach import ran
from classifier.links.road import of_list
from classifier.pipeline import Pipeline
from classifier.tracks import view as tracks
from console.cli.failure import Failure
from console.cli.policies import named
from console.cli.records import fields_of, time_of
from wire.records import Event, Record

SINGULAR = {"classes": "workload", "tracks": "workload", "inventory": "workload", "baselines": "class"}


def replayed(
    records: Iterable[Record], *, policy: str = "default", time_scale: float | None = None, until: float | None = None
) -> Pipeline:
    """The pipeline after a stream, or after its part before an event time."""
    pipeline = Pipeline(named(policy, time_scale))
    for record in records if until is None else takewhile(lambda record: time_of(record) <= until, records):
        pipeline.feed(record)
    return pipeline


class Replayed:
    """Answers the questions of `Control.get` from a replayed stream."""

    def __init__(self, records: Iterable[Record], *, policy: str = "default", time_scale: float | None = None) -> None:
        self._seen: dict[str, Event] = {}
        self._pipeline = replayed(self._noted(records), policy=policy, time_scale=time_scale)

    def _noted(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if isinstance(record, Event):
                self._seen[record.id] = record
            yield record

    def get(self, what: str, *which: str, **_: Any) -> Any:
        """The answer to a question.

        Raises:
            Failure: The trace holds no such thing.
        """
        found = getattr(self, f"_{what}")(*which)
        if found is None:
            listed = "finding" if what == "findings" else "workload"
            hint = f'see "driftline {listed} list --trace FILE"'
            raise Failure(f"the trace holds no {SINGULAR.get(what, what.rstrip('s'))} {' '.join(which)}", hint)
        return found

    def _findings(self, id: str = "", part: str = "") -> Any:
        if part == "replicas":
            return self._pipeline.beside(id) or None
        rows = [finding_to_dict(f) for f in self._pipeline.findings()]
        found = next((row for row in rows if row["id"] == id), None) if id else rows
        if not found or part != "chain":
            return found
        return links.about(found, *of_list(self._seen.values()), lambda *span: ran(self._pipeline.known(), *span))

    def _events(self, id: str) -> Any:
        event = self._seen.get(id)
        return None if event is None else fields_of(event)

    def _workloads(self) -> Any:
        return [fields_of(status) for status in self._pipeline.workloads()]

    def _envelopes(self, workload: str) -> Any:
        envelope = self._pipeline.envelope(workload)
        return None if envelope is None else shown(envelope)

    def _deploys(self) -> Any:
        return [fields_of(deploy) for deploy in self._pipeline.deploys()]

    def _classes(self, workload: str = "") -> Any:
        known = self._pipeline.known()
        return classes.one(known, workload) if workload else classes.listed(known)

    def _baselines(self, name: str) -> Any:
        return classes.shared(self._pipeline.known(), name)

    def _tracks(self, workload: str = "") -> Any:
        known = self._pipeline.known()
        return tracks.one(known, workload) if workload else tracks.listed(known)

    def _inventory(self, workload: str = "") -> Any:
        known = self._pipeline.known()
        return inventory.one(known, workload) if workload else inventory.listed(known)
