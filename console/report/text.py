"""A report as text for a terminal, and as rows for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from console.cli.fold import tell, width
from console.cli.output import COLOURS, emit_table, moment, say
from console.report.coverage import Coverage
from console.report.model import Part, Report, Row
from console.report.words import LABELS, sure

COLUMNS = {
    "workload": "workload", "class": "class", "id": "id", "opened": "first seen", "label": "label", "severity": "severity",
    "probability": "probability", "reading": "of", "rule": "rule", "event": "event", "cause": "cause", "title": "what",
    "attribution": "attribution",
    "magnitude": "magnitude", "replicas": "replicas", "count": "count", "state": "state", "owner": "owner",
    "review_until": "review until",
}  # fmt: skip
WIDE = 100  # columns below which a change is a paragraph and not a row
LISTED = 40  # entries of a list; the rest is counted


def lines(report: Report) -> list[dict[str, Any]]:
    """One row a change, for CSV: those of the span, and older ones that are still open."""
    out = []
    for part in report.parts:
        for kind, rows in (("change", part.rows), ("earlier", part.earlier)):
            out += [_line(part, kind, row) for row in rows]
    return out


def _line(part: Part, kind: str, row: Row) -> dict[str, Any]:
    own = {name: getattr(row, name) for name in COLUMNS if hasattr(row, name)}
    times = {"opened": moment(row.opened), "review_until": moment(row.review_until)}
    return {"workload": part.workload, "class": kind, **own, **times}


def show(report: Report) -> None:
    """Print a report."""
    span = report.span
    begin, end = moment(span.since), moment(span.until)
    tell(f"Drift of {span.days:g} days, {begin} to {end}, from {report.source}")
    tell(summary(report.counts))
    for part in report.parts:
        _part(part, report)


def summary(counts: Mapping[str, int]) -> str:
    """The sums in one line.

    >>> summary({"changes": 3, "evolution": 1, "risky": 1, "review": 1, "variance": 2, "idle_events": 0})
    '3 changes = 1 expected evolution + 1 risky drift + 1 needs review; besides, 2 of normal variance'
    """
    parts = (
        f"{counts['evolution']} expected evolution + {counts['risky']} risky drift + {counts['review']} needs review"
    )
    return f"{counts['changes']} changes = {parts}; besides, {counts['variance']} of normal variance"


def _part(part: Part, report: Report) -> None:
    _heading(f"Workload {part.workload}")
    if len(report.parts) > 1:
        tell(summary(part.counts), begin="  ")
    for label, rows in ((RISKY, part.risky), (REVIEW, part.review), (EXPECTED, part.evolution)):
        _heading(f"{LABELS[label]}: {len(rows)}", style=COLOURS[label])
        _rows(rows)
    _heading(f"Deploy events that changed nothing: {len(part.idle)}")
    for d in part.idle:
        tell(f"{d.id}  {d.kind}  by {d.actor or 'unknown'}  {d.why}", begin=f"  {moment(d.time)}  ", indent=4)
    if part.earlier:
        _heading(f"Opened before, not decided yet: {len(part.earlier)}")
        _rows(part.earlier)
    _heading(f"Normal variance, taken into the envelope without a finding: {len(part.taken)}")
    listed((_taken(b) for b in part.taken), len(part.taken))
    _coverage(part.coverage)


def _heading(text: str, *, style: str = "") -> None:
    click.echo()
    tell(text, style=style)


def _rows(rows: Iterable[Row]) -> None:
    rows, columns = list(rows), width()
    if not rows:
        return
    if columns is None or columns >= WIDE:
        table = ([moment(r.opened), r.id, r.title, r.cause, _sure(r) or None, r.state] for r in rows)
        emit_table(("first seen", "id", "what", "cause", "p", "state"), table)
        return
    for r in rows:
        tell(r.title, begin=f"  {r.id}  ", indent=4)
        tell(f"{moment(r.opened)}, p {_sure(r) or '-'}, {r.state}; {r.cause}", begin="    ", indent=4)


def _sure(row: Row) -> str:
    return sure(row.label, row.reading, row.probability)


def listed(names: Iterable[str], total: int) -> None:
    """The first names of a list, and how many more there are."""
    for n, name in enumerate(names):
        if n == LISTED:
            say(f"  and {total - LISTED} more; --json lists them")
            return
        tell(name, begin="  ")


def _taken(b: Mapping[str, Any]) -> str:
    return f"{b.get('behaviour')}" + (f": {b['because']}" if b.get("because") else "")


def _coverage(c: Coverage) -> None:
    _heading("How far this reaches")
    for words in coverage_words(c):
        tell(words, begin="  ")
    _heading("What cannot be seen from a node")
    for stage, why, fed in c.unseen:
        tell(f"{stage}: {'observable, the application feeds it' if fed else why}", begin="  ")


def coverage_words(c: Coverage) -> Iterable[str]:
    """The coverage in sentences, for every format."""
    yield f"envelope: {c.state}: {c.because}"
    if c.states:
        yield "states: " + ", ".join(f"{s} from {moment(t)}" for t, s in c.states)
    yield f"watched: {c.hours:.1f} of {c.hours + c.blind_hours:.1f} replica-hours ({c.share:.2%}), {c.replicas} replicas"
    for node, start, end in c.gaps[:LISTED]:
        yield f"gap: node {node} was not watched from {moment(start)} to {moment(end)}"
    if c.gaps[LISTED:]:
        yield f"and {len(c.gaps) - LISTED} more gaps"
    lost = ", ".join(f"{what} {n}" for what, n in sorted(c.lost.items()))
    yield f"lost: {lost or 'nothing'}; windows with loss: {c.lossy_windows}"
    yield f"blind spots of the probes: {', '.join(c.blind_spots[:LISTED]) or 'none told'}"
