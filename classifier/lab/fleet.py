"""Several deployments to one stream, merged by time as a classifier of a cluster would get it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from classifier.lab.simulate import Plan, deployment
from classifier.lab.truth import Truth
from wire.records import Deploy, Gap, Identity, Record, Window


def fleet(plan: Plan, watch: Callable[[int], None] = lambda done: None) -> tuple[Iterator[Record], list[Truth]]:
    """The merged stream of all deployments of a plan, and what is true of each.

    Args:
        watch: Is told how many deployments are planned.
    """
    streams, truths = [], []
    for index in range(plan.deployments):
        stream, truth = deployment(plan, index)
        streams.append(stream)
        truths.append(truth)
        watch(index + 1)
    return heapq.merge(*streams, key=arrival), truths


def arrival(record: Record) -> float:
    """When a record reaches the classifier (seconds, event time)."""
    if isinstance(record, Deploy):
        return record.received
    if isinstance(record, Identity) and record.ended is not None:
        return record.ended
    return record.end if isinstance(record, Window | Gap) else record.time
