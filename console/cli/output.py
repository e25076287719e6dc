"""Rows to a table for people, JSON for programs or CSV for spreadsheets. Loads rich only for a table."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from console.cli.escape import cell, escape

T = TypeVar("T")
Command = Callable[..., Any]
WIDE = 100_000  # columns of a table that goes into a file or a pipe: nothing is folded there
PATIENCE = 2.0  # seconds before long work shows a progress bar
COLOURS = {
    "risky_drift": "bold red",
    "expected_evolution": "green",
    "needs_review": "yellow",
    "converged": "green",
    "yes": "green",
    "stand-in": "yellow",
    "no": "red",
}


def json_option(command: Command) -> Command:
    """Add --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def list_options(command: Command) -> Command:
    """Add --json and --csv to a command that lists."""
    with_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")(command)
    return json_option(with_csv)


def emit_json(value: Any) -> None:
    """Print one JSON value in the form of a replay: keys sorted, ASCII only, so no name reaches the terminal raw."""
    click.echo(json.dumps(value, indent=1, sort_keys=True, default=str))


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

    tty = _terminal()
    table = Table(box=box.SIMPLE_HEAD if tty else None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        words = ["-" if value is None else escape(_flat(value)) for value in row]
        table.add_row(*(Text(word, style=COLOURS.get(word, "")) for word in words))
    if tty:
        Console(highlight=False).print(table)
        return
    text = io.StringIO()
    Console(file=text, width=WIDE, highlight=False).print(table)
    click.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def say(text: str, *, style: str = "") -> None:
    """Print one line for people, escaped, coloured only on a terminal that wants it; line breaks before it are kept."""
    line = text.lstrip("\n")
    for _ in range(len(text) - len(line)):
        click.echo()
    if style and _terminal() and not os.environ.get("NO_COLOR"):
        click.echo(click.style(escape(line), **_style(style)))
    else:
        click.echo(escape(line))


def note(text: str) -> None:
    """Print one line beside the answer, on stderr."""
    click.echo(f"Note: {escape(text)}", err=True)


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
    with working(label, total) as progress:
        for number, item in enumerate(items, 1):
            yield item
            if number % 64 == 0 or total is not None:
                progress(number)


@contextmanager
def working(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for what takes longer than `PATIENCE` seconds; gives a function that takes what is done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    bar = _Bar(label, total)
    try:
        yield bar.update
    finally:
        bar.stop()


class _Bar:
    """A progress bar that a timer brings up, so that short work shows none."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label, self._total, self._done = escape(label), total, 0
        self._progress: Any = None
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True
        self._timer.start()

    def update(self, done: int) -> None:
        self._done = done
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done)

    def stop(self) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._progress is not None:
            self._progress.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        words = TextColumn("{task.description}", markup=False)
        columns = words, BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn()
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        progress.add_task(self._label, total=self._total, completed=self._done)
        progress.start()
        self._progress = progress


def _terminal() -> bool:
    return sys.stdout.isatty()


def _style(style: str) -> dict[str, Any]:
    words = style.split()
    return {"fg": next((w for w in words if w != "bold"), None), "bold": "bold" in words or None}


def _flat(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set) else value
