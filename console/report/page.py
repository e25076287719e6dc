"""A report as one HTML file: no script, no request, a policy that forbids both, and every name escaped twice over."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from console.cli.escape import escape
from console.cli.output import moment
from console.report import pictures
from console.report.markdown import CLIP, clipped
from console.report.model import Part, Report, Row
from console.report.text import coverage_words, summary
from console.report.words import HOLDS, LABELS, reason, sure, turns, waiting

LISTED, APPENDIX = 30, 500  # behaviours of a finding, entries of the appendix


def page(report: Report) -> str:
    """The whole file."""
    css = (files("console.report") / "templates" / "drift.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("console.report", "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(shown=shown, minute=minute, date=date, share=share, waiting=standing)
    return environment.get_template("drift.html").render(
        report=report,
        counts=report.counts,
        summary=summary(report.counts),
        sums=summary,
        css=css,
        digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        labels=_Known(LABELS),
        classes=_Known(pictures.CLASSES),
        holds=HOLDS,
        places={n: _places(part, n) for n, part in enumerate(report.parts, 1)},
        timeline=lambda part: _both(pictures.timeline, part, report.span),
        convergence=lambda part: _both(pictures.convergence, part),
        bar=lambda posterior: Markup(pictures.bar(posterior)),
        coverage=coverage_words,
        reason=reason,
        turns=turns,
        listed=LISTED,
        appendix=APPENDIX,
    )


class _Known(dict):
    """A table whose unknown keys have no word."""

    def __missing__(self, key: object) -> str:
        return ""


def shown(value: Any, limit: int = CLIP) -> str:
    """A name or a sentence with everything unprintable made visible, of bounded length."""
    return clipped(escape("" if value is None else value), limit)


def minute(seconds: float | None) -> str:
    """A time to the minute, in UTC."""
    text = moment(seconds) if isinstance(seconds, int | float) else None
    return text[:16] if text is not None and text.endswith("Z") else str(text or "unknown")


def date(seconds: float) -> str:
    """A day."""
    return minute(seconds)[:10]


def share(row: Row) -> str:
    """A probability for people."""
    return shown(sure(row.label, row.reading, row.probability)) or "not told"


def standing(row: Row) -> str:
    """Where a change stands, and who decides."""
    return shown(waiting(row.state, row.owner, row.review_until))


def _places(part: Part, n: int) -> dict[str, str]:
    """Where in the page each finding is; never its own id, which somebody else wrote."""
    return {r.id: f"w{n}c{i}" for i, r in enumerate((*part.rows, *part.earlier), 1)}


def _both(draw: Any, *arguments: Any) -> Markup:
    """A picture for wide pages and one for phones; the style sheet shows one."""
    return Markup("".join(draw(*arguments, width) for width in (pictures.WIDE, pictures.NARROW)))
