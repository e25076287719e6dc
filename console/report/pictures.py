"""Numbers of a report to SVG, drawn with classes only, so that one style sheet colours them for light, dark and paper.

Shapes differ as well as colours: a label must be told by who sees no colours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape as html
from typing import Any

from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from console.cli.escape import escape
from console.report.markdown import clipped
from console.report.model import Part, Span
from console.report.words import LABELS

CLASSES = {EXPECTED: "evolution", RISKY: "risky", REVIEW: "review"}
LANES = (RISKY, REVIEW, EXPECTED)
WIDE, NARROW = 720, 340  # units; each is drawn once, and the page shows the one that fits
LANE, BAR = 30, 18  # units of height
REVISIONS = 12  # bars; the last ones


@dataclass(frozen=True)
class Axis:
    """Time to units."""

    start: float
    end: float
    left: float
    right: float

    def at(self, seconds: float) -> float:
        share = (seconds - self.start) / max(1e-9, self.end - self.start)
        return round(self.left + min(1.0, max(0.0, share)) * (self.right - self.left), 1)


def timeline(part: Part, span: Span, width: int = WIDE) -> str:
    """Revisions as bars, deploy events as lines, changes as marks by label, and where nobody looked."""
    axis = Axis(span.since, span.until, 128 if width == WIDE else 74, width - 14)
    revisions = part.coverage.revisions[-REVISIONS:]
    lanes = 22
    bars = lanes + LANE * len(LANES) + 12
    height = bars + BAR * len(revisions) + 30
    body = [
        *_gaps(part, axis, lanes, height - 26),
        *_events(part, axis, lanes, height - 26),
        *_lanes(part, axis, lanes),
        *_revisions(revisions, axis, bars),
        *_days(axis, span, height, 7 if width == WIDE else 4),
    ]
    counts = part.counts
    title = f"Timeline of {counts['changes']} changes and {len(revisions)} revisions"
    return picture(title, _told(part), width, height, body, "wide" if width == WIDE else "narrow")


def picture(title: str, told: str, width: float, height: float, body: Iterable[str], name: str) -> str:
    """An SVG with a text for those who do not see it."""
    return (
        f'<svg class="{name}" viewBox="0 0 {width} {height}" role="img" aria-label="{_safe(title)}. {_safe(told)}">'
        + "".join(body)
        + "</svg>"
    )


def _told(part: Part) -> str:
    rows = sorted(part.rows, key=lambda r: r.opened)
    return "; ".join(f"{_day(r.opened)}: {LABELS.get(r.label, LABELS[REVIEW])}" for r in rows[:60])


def _gaps(part: Part, axis: Axis, top: float, bottom: float) -> Iterator[str]:
    for node, start, end in part.coverage.gaps[:200]:
        x = axis.at(start)
        words = f"node {node} was not watched"
        yield _rect("gap", x, top, max(1.5, axis.at(end) - x), bottom - top, words)


def _events(part: Part, axis: Axis, top: float, bottom: float) -> Iterator[str]:
    """Every deploy event: those that explain something, and dashed those that explain nothing."""
    known = {r.event: r.event_time for r in part.evolution if r.event and r.event_time is not None}
    idle = {d.id: d.time for d in part.idle}
    for name, events in (("event", known), ("event idle", idle)):
        for id, when in list(events.items())[:500]:
            x = axis.at(when)
            line = f'<line class="{name}" x1="{x}" y1="{top - 8}" x2="{x}" y2="{bottom}">{_tip(f"event {id}")}</line>'
            yield line + f'<path class="{name}" d="M{x - 4} {top - 14}h8l-4 6z"/>'


def _lanes(part: Part, axis: Axis, top: float) -> Iterator[str]:
    by_label = {RISKY: part.risky, REVIEW: part.review, EXPECTED: part.evolution}
    for n, label in enumerate(LANES):
        y = top + LANE * n + LANE / 2
        yield f'<line class="lane" x1="{axis.left}" y1="{y}" x2="{axis.right}" y2="{y}"/>'
        words = LABELS[label].split() if axis.left < 100 else [LABELS[label]]
        for k, word in enumerate(words):
            yield _text("name", 2, y + 4 - 6 * (len(words) - 1) + 12 * k, word)
        for row in by_label[label]:
            yield mark(label, axis.at(row.opened), y, f"{_day(row.opened)} {row.title}")


def mark(label: str, x: float, y: float, words: str) -> str:
    """One change: a disc is evolution, a triangle risky, a square a review."""
    name = CLASSES.get(label, "review")
    if label == EXPECTED:
        shape = f'<circle class="{name}" cx="{x}" cy="{y}" r="6">{_tip(words)}</circle>'
    elif label == RISKY:
        shape = f'<path class="{name}" d="M{x} {y - 8}l8 14h-16z">{_tip(words)}</path>'
    else:
        shape = f'<rect class="{name}" x="{x - 6}" y="{y - 6}" width="12" height="12">{_tip(words)}</rect>'
    return shape


def _revisions(revisions: Iterable[Any], axis: Axis, top: float) -> Iterator[str]:
    for n, r in enumerate(revisions):
        x, y = axis.at(r.start), top + BAR * n
        words = f"revision {r.name}: {r.replicas} replicas"
        yield _text("name", 2, y + 12, escape(r.name)[:9])
        yield _rect("revision", x, y + 2, max(2.0, axis.at(r.end) - x), BAR - 5, words)


def _days(axis: Axis, span: Span, height: float, steps: int) -> Iterator[str]:
    y = height - 24
    yield f'<line class="axis" x1="{axis.left}" y1="{y}" x2="{axis.right}" y2="{y}"/>'
    for n in range(steps + 1):
        when = span.since + (span.until - span.since) * n / steps
        x = axis.at(when)
        anchor = "end" if n == steps else "middle"
        yield f'<line class="axis" x1="{x}" y1="{y}" x2="{x}" y2="{y + 4}"/>'
        yield _text("tick", x, y + 16, _day(when), anchor=anchor)


def bar(posterior: Mapping[str, float]) -> str:
    """Three probabilities as parts of one bar; "" where none were given."""
    if not posterior:
        return ""
    words = ", ".join(f"{name} {share:.3f}" for name, share in posterior.items())
    body, x = [], 0.0
    for name in ("risky", "benign", "evolution"):
        wide = round(100 * max(0.0, min(1.0, posterior.get(name, 0.0))), 2)
        body.append(f'<rect class="p-{name}" x="{round(x, 2)}" y="0" width="{wide}" height="8"/>')
        x += wide
    return (
        f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="Probability: {words}">'
        + "".join(body)
        + "</svg>"
    )


def convergence(part: Part, width: int = WIDE) -> str:
    """How wide the unseen mass may still be, day by day; "" where the envelope keeps no series."""
    rows = [r for r in part.coverage.convergence if isinstance(r.get("spread"), int | float)]
    if len(rows) < 2:
        return ""
    height, left = 150, 44
    top = max(max(float(r["spread"]) for r in rows), 1e-9)
    axis = Axis(rows[0]["day"], rows[-1]["day"], left, width - 14)
    points = [(axis.at(r["day"]), round(14 + 100 * (1 - float(r["spread"]) / top), 1)) for r in rows]
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    body = [
        f'<line class="axis" x1="{left}" y1="114" x2="{width - 14}" y2="114"/>',
        _text("tick", left - 4, 18, f"{top:.2g}", anchor="end"),
        _text("tick", left - 4, 118, "0", anchor="end"),
        f'<path class="curve" d="{path}"/>',
        _text("tick", left, 132, f"day 1: {rows[0]['stage']}", anchor="start"),
        _text("tick", width - 14, 132, f"day {len(rows)}: {rows[-1]['stage']}", anchor="end"),
    ]
    told = f"from {float(rows[0]['spread']):.3g} to {float(rows[-1]['spread']):.3g} in {len(rows)} days"
    name = "wide" if width == WIDE else "narrow"
    return picture("Spread of the unseen mass", told, width, height, body, name)


def _day(seconds: float) -> str:
    try:
        return time.strftime("%m-%d", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):  # a number from a hostile trace
        return "?"


def _safe(text: str) -> str:
    return html(clipped(escape(text), 4000))


def _tip(words: str) -> str:
    return f"<title>{html(clipped(escape(words)))}</title>"


def _text(name: str, x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text class="{name}" x="{x}" y="{y}" text-anchor="{anchor}">{html(clipped(escape(words), 40))}</text>'


def _rect(name: str, x: float, y: float, width: float, height: float, words: str) -> str:
    return f'<rect class="{name}" x="{x}" y="{y}" width="{round(width, 1)}" height="{round(height, 1)}">{_tip(words)}</rect>'
