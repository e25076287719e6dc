"""A report as Markdown. Names come from workloads, so each sign that could be markup is written as an entity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from console.cli.escape import escape
from console.cli.output import moment
from console.report.model import Part, Report, Row
from console.report.text import LISTED, coverage_words, summary
from console.report.words import LABELS, sure

CLIP = 300  # characters of a text
MARKUP = re.compile(r"[\\`*_{}\[\]<>()#|~&!@$^=]|(?<=:)//|(?<=www)\.")  # the last two: bare addresses become links


def safe(text: object) -> str:
    """A text that Markdown, in a table or not, shows as it is, on one line.

    >>> safe("a|b <i> [x](y) `c`")
    'a&#124;b &#60;i&#62; &#91;x&#93;&#40;y&#41; &#96;c&#96;'
    """
    return MARKUP.sub(_entities, clipped(escape(text)))


def _entities(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(c)};" for c in found.group())


def clipped(text: str, limit: int = CLIP) -> str:
    """A text of bounded length that says how much it lacks.

    >>> clipped("abcdef", 4)
    'abcd… (6 characters)'
    """
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def markdown(report: Report) -> str:
    """The whole page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    span = report.span
    yield "# Drift report"
    yield ""
    yield f"{span.days:g} days, {moment(span.since)} to {moment(span.until)}, from {safe(report.source)}."
    yield ""
    yield f"**{summary(report.counts)}.**"
    for part in report.parts:
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    yield from ("", f"## {safe(part.workload)}")
    for label, rows in ((RISKY, part.risky), (REVIEW, part.review), (EXPECTED, part.evolution)):
        yield from ("", f"### {LABELS[label].capitalize()}: {len(rows)}", "")
        yield from _table(rows)
    yield from ("", f"### Deploy events that changed nothing: {len(part.idle)}", "")
    for d in part.idle:
        words = f"{safe(d.id)}, {safe(d.kind)} by {safe(d.actor or 'unknown')}: {safe(d.why)}"
        yield f"- {moment(d.time)}: {words}"
    if part.earlier:
        yield from ("", f"### Opened before, not decided yet: {len(part.earlier)}", "")
        yield from _table(part.earlier)
    yield from ("", "### How far this reaches", "")
    yield from (f"- {safe(words)}" for words in coverage_words(part.coverage))
    yield from ("", "### What cannot be seen from a node", "")
    for stage, why, fed in part.coverage.unseen:
        yield f"- {stage}: {'observable, the application feeds it' if fed else why}"
    yield from ("", f"### Appendix: normal variance, {len(part.taken)}", "")
    yield from (f"- {safe(b.get('behaviour'))}" for b in part.taken[:LISTED])
    if part.taken[LISTED:]:
        yield f"- and {len(part.taken) - LISTED} more"


def _table(rows: Iterable[Row]) -> Iterator[str]:
    rows = list(rows)
    if not rows:
        yield "None."
        return
    yield "| first seen | finding | what | cause | probability | state |"
    yield "|---|---|---|---|---|---|"
    for r in rows:
        told = safe(sure(r.label, r.reading, r.probability) or "not told")
        cells = (moment(r.opened), safe(r.id), safe(r.title), safe(r.cause), told, safe(r.state))
        yield "| " + " | ".join(str(c) for c in cells) + " |"
