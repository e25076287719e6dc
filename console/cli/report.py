"""`driftline report`: drift."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import (
    Number,
    Output,
    control,
    refuse_of_trace,
    settings,
    tell_trouble,
    trace_options,
    traced,
)
from console.cli.output import emit_csv, emit_json, list_options, note

if TYPE_CHECKING:
    from console.report.model import Report
    from wire.records import Record


class Moment(click.ParamType):
    """A time: seconds since the epoch, or an ISO date, in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds of a text."""
        try:
            return Number().convert(value, param, ctx)
        except click.UsageError:
            pass  # no number, so perhaps a date
        try:
            when = datetime.fromisoformat(str(value))
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither seconds nor a date such as 2026-11-21T14:30.", param, ctx)


@click.group()
def report() -> None:
    """Report on what changed, and why.

    \b
    Example:
      driftline report drift --days 30 --html drift.html
    """


@report.command()
@click.argument("workload", required=False)
@click.option("--days", type=Number(0, 3660, min_open=True), default=30.0, show_default=True, help="Length, in days.")
@click.option("--until", type=Moment(), metavar="TIME", help="End, as seconds or date; now, or the end of the trace.")
@click.option("--markdown", type=Output(), metavar="FILE", help="Write Markdown.")
@click.option("--html", type=Output(), metavar="FILE", help="Write one HTML file that needs nothing else.")
@trace_options
@list_options
@click.pass_context
def drift(
    ctx: click.Context,
    workload: str | None,
    days: float,
    until: float | None,
    markdown: str | None,
    html: str | None,
    trace: str | None,
    policy: str | None,
    time_scale: float | None,
    salvage: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Sort every change of some days into expected evolution, risky drift and needs review, each with its cause.

    Without a workload, all of them.

    \b
    Example:
      driftline report drift lab/shop/Deployment/cart/cart --days 30 --html drift.html
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if trace is None:
        refuse_of_trace(policy, time_scale, salvage)
        made = _live(ctx, workload, days, until)
    else:
        records = traced(trace, salvage=salvage)
        made = _of_trace(records, Path(trace).name, workload, days, until, policy, time_scale)
    _write(made, markdown, html)
    if as_json or as_csv:
        _print_for_programs(made, as_json=as_json)
    elif not (markdown or html):
        from console.report.text import show

        show(made)


def _live(ctx: click.Context, workload: str | None, days: float, until: float | None) -> Report:
    from console.report.source import of_answers

    asked, known = control(ctx), settings(ctx).classifier()
    now = time.time() if until is None else until  # noqa: TID251  a report ends now unless it says when
    made = of_answers(asked, workload, days=days, until=now, policy=known.policy, name="the running classifier")
    tell_trouble(asked)
    return made


def _of_trace(
    records: Iterable[Record],
    file: str,
    workload: str | None,
    days: float,
    until: float | None,
    policy: str | None,
    time_scale: float | None,
) -> Report:
    from console.report.source import of_trace

    policy = policy or "default"
    return of_trace(
        records, workload, name=f"trace {file}", days=days, until=until, policy=policy, time_scale=time_scale
    )


def _write(made: Report, markdown: str | None, html: str | None) -> None:
    """Write the files that were asked for, whole or not at all."""
    for file, text in ((markdown, _markdown), (html, _page)):
        if file is not None:
            content = text(made)
            path = Path(file)
            part = path.with_name(f".{path.name[:200]}.part")
            part.write_text(content, encoding="utf-8")
            part.replace(path)
            note(f"{file}: {made.counts['changes']} changes")


def _markdown(made: Report) -> str:
    from console.report.markdown import markdown

    return markdown(made)


def _page(made: Report) -> str:
    from console.report.page import page

    return page(made)


def _print_for_programs(made: Report, *, as_json: bool) -> None:
    from console.report.model import plain
    from console.report.text import COLUMNS, lines

    if as_json:
        emit_json(plain(made))
    else:
        emit_csv(lines(made), COLUMNS)
