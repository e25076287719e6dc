"""A request's telemetry to what it says of calls. Pure: what the clock says comes in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from classifier.otlp.agents import event_name, of_log, seconds_of
from classifier.otlp.conventions import of_span
from classifier.otlp.messages import words
from classifier.otlp.shapes import Llm, Said
from classifier.otlp.telemetry import Batch, Log, Span
from wire.digests import sha256

EARLY = 3600.0  # seconds; exporters try again for minutes, and what is older may be made up
LATE = 60.0  # seconds that a clock may be ahead
LONGEST = 86_400.0  # seconds of one call
GENAI = "gen_ai."


@dataclass(slots=True)
class Translated:
    """What a request says."""

    said: list[Said] = field(default_factory=list)  # model calls first
    other: int = 0  # spans and log records that are about something else
    rejected: Counter[str] = field(default_factory=Counter)


def translate(batch: Batch, now: float) -> Translated:
    """Every model call, tool and MCP message of a batch.

    Args:
        now: seconds; whatever ended long before, or after, is rejected.
    """
    out = Translated(rejected=Counter(batch.rejected))
    for span in batch.spans:
        _add(out, _of_span(span), now)
    for log in batch.logs:
        _add(out, _of_log(log, now), now)
    # A call before its tools, and a client's span before those around it.
    out.said.sort(key=lambda s: (not isinstance(s.what, Llm), s.end, -s.start))
    return out


def _add(out: Translated, said: Said | None, now: float) -> None:
    if said is None:
        out.other += 1
    elif not now - EARLY <= said.end <= now + LATE:
        out.rejected["the time is not of now"] += 1
    else:
        said.end = min(said.end, now)
        said.start = min(max(said.start, said.end - LONGEST), said.end)
        out.said.append(said)


def _of_span(span: Span) -> Said | None:
    what = of_span(span)
    if what is None:
        return None
    key = f"{span.trace}/{span.id}"
    times = {"start": span.start, "end": span.end}
    more = {"scope": span.scope, "resource": span.resource, "served": span.served}
    return Said(what, key, span.trace, span.id, span.parent, **times, **more)


def _of_log(log: Log, now: float) -> Said | None:
    what = of_log(log)
    if what is None:
        return None
    end = log.time or now
    joins = event_name(log).startswith(GENAI) and bool(log.trace and log.span)
    key = f"{log.trace}/{log.span}" if joins else f"log/{_digest(log)}"
    span = log.span if joins else ""
    return Said(what, key, log.trace, span, "", end - seconds_of(log), end, log.scope, log.resource, whole=not joins)


def _digest(log: Log) -> str:
    """What tells a record that has no ids: all that it says."""
    parts: list[Any] = [log.time, log.name, log.body, dict(log.attributes)]
    return sha256("\0".join(words(part) if not isinstance(part, float) else repr(part) for part in parts))
