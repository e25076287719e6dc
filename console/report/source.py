"""Where a report's answers come from: the running classifier, or a trace that is replayed up to a moment."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from classifier.deploys.timeline import concerns
from classifier.policy import Policy
from console.cli.answers import rows
from console.cli.configured import Asked
from console.cli.failure import Failure
from console.cli.policies import named
from console.cli.records import time_of
from console.cli.replaying import Replayed
from console.report.model import Report, Span, made
from wire.records import Record

DAYS = 30.0


class Ended:
    """Records up to a moment, and when the last of them was."""

    def __init__(self, records: Iterable[Record], until: float | None) -> None:
        self._records, self._until = records, until
        self.last = 0.0  # seconds, event time

    def __iter__(self) -> Any:
        before = self._records if self._until is None else takewhile(lambda r: time_of(r) <= self._until, self._records)
        for record in before:
            self.last = max(self.last, time_of(record))
            yield record


def of_trace(
    records: Iterable[Record],
    workload: str | None,
    *,
    name: str,
    days: float,
    until: float | None,
    policy: str,
    time_scale: float | None,
) -> Report:
    """The report of a trace. Its end is that of the trace, or `until` (seconds)."""
    ended = Ended(records, until)
    asked = Replayed(ended, policy=policy, time_scale=time_scale)
    end = ended.last if until is None else until
    return of_answers(asked, workload, days=days, until=end, policy=named(policy, time_scale), name=name)


def of_answers(asked: Asked, workload: str | None, *, days: float, until: float, policy: Policy, name: str) -> Report:
    """The report of whoever answers, for one workload or all."""
    names = [str(w.get("workload")) for w in rows(asked.get("workloads"), "workloads")]
    chosen = wanted(workload, names)
    return made(
        rows(asked.get("findings"), "findings"),
        rows(asked.get("deploys"), "deploys"),
        _envelopes(asked, chosen),
        span=Span(until - days * policy.day, until, days),
        policy=policy,
        source=name,
    )


def _envelopes(asked: Asked, names: Iterable[str]) -> Mapping[str, Any]:
    out = {}
    for name in names:
        try:
            out[name] = asked.get("envelopes", name)
        except Failure:  # forgotten between two questions
            out[name] = None
    return out


def wanted(workload: str | None, names: list[str]) -> list[str]:
    """The workloads of a name: itself, or the containers of a Deployment; without one, all.

    Raises:
        Failure: There is no such workload; it says what is near.
    """
    if workload is None:
        return names
    found = [n for n in names if n == workload or concerns(_Of(workload), n)]  # type: ignore[arg-type]
    if not found:
        raise Failure(f"no workload {workload:.300} was seen", _near(workload, names))
    return found


class _Of:
    def __init__(self, workload: str) -> None:
        self.workload = workload


def _near(workload: str, names: list[str]) -> str:
    asked = workload[:500]
    near = [n for n in names if asked and asked in n] or difflib.get_close_matches(asked, names, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(near[:3])}?" if near else 'run "driftline workload list"'
