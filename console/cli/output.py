"""Rows to a table for people, JSON for programs or CSV for spreadsheets. Loads rich only for a table."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click

from console.cli.escape import cell, escape

T = TypeVar("T")
Command = Callable[..., Any]
PATIENCE = 2.0  # seconds before long work shows a progress bar
COLOURS = {
    "risky_drift": "bold red",
    "expected_evolution": "green",
    "needs_review": "yellow",
    "converged": "green",
    "on": "green",
    "stand-in": "yellow",
    "off": "red",
}


def json_option(command: Command) -> Command:
    """Add --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def list_options(command: Command) -> Command:
    """Add --json and --csv to a command that lists."""
    with_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")(command)
    return json_option(with_csv)


def emit_json(value: Any) -> None:
    """Print one JSON value; keys sorted, ASCII only, so a name cannot reach the terminal raw."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, default=str))


def emit_list(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool = False,
    as_csv: bool = False,
    empty: str = "nothing",
) -> None:
    """Print rows; `columns` is key → heading. JSON has every key, tables and CSV only these."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if as_json:
        emit_json(list(rows))
    elif as_csv:
        emit_csv(rows, columns)
    elif rows:
        emit_table(columns.values(), ([row.get(key) for key in columns] for row in rows))
    else:
        click.echo(empty, err=True)


def emit_csv(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print CSV with the keys as its first line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(_flat(row.get(key))) for key in columns] for row in rows)
    click.echo(text.getvalue(), nl=False)


def emit_table(headings: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: folded to the terminal's width, or as wide as it needs where output goes elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    tty = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if tty else None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        words = ["-" if value is None else escape(_flat(value)) for value in row]
        table.add_row(*(Text(word, style=COLOURS.get(word, "")) for word in words))
    width = None if tty else 100_000
    console = Console(file=io.StringIO(), width=width, force_terminal=tty, highlight=False, soft_wrap=not tty)
    if tty:
        console = Console(highlight=False)
        console.print(table)
        return
    console.print(table)
    click.echo("\n".join(line.rstrip() for line in console.file.getvalue().splitlines()))  # type: ignore[attr-defined]


def say(text: str, *, style: str = "") -> None:
    """Print one line for people, escaped, coloured only on a terminal that wants it."""
    if style and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        click.echo(click.style(escape(text), **_style(style)))
    else:
        click.echo(escape(text))


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as UTC text; None stays None."""
    if seconds is None:
        return None
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + "Z"
    except (ValueError, OverflowError, OSError):  # a number from a hostile trace
        return str(seconds)


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Pass items on; after `PATIENCE` seconds show a progress bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    begun, bar, task = time.monotonic(), None, None
    try:
        for number, item in enumerate(items):
            if bar is None and number % 64 == 0 and time.monotonic() - begun > PATIENCE:
                bar, task = _bar(label, total)
            if bar is not None and number % 64 == 0:
                bar.update(task, completed=number)
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _bar(label: str, total: int | None) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(escape(label).replace("[", r"\["), total=total)
    bar.start()
    return bar, task


def _style(style: str) -> dict[str, Any]:
    *bold, colour = style.split()
    return {"fg": colour, "bold": bool(bold)}


def _flat(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set) else value
