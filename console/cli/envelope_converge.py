"""`driftline envelope converge`: how an envelope became stable, day by day, as a table, CSV and a picture."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from console.cli.configured import Output, asked, asking
from console.cli.failure import Failure
from console.cli.output import emit_json, emit_table, say

DAY = 86400
LIMIT = 16 << 20  # bytes of a CSV that is drawn again
LAST_DAY = 2_900_000  # of the year 9909; later ones have no date
HUGE = 1e15
TEXTS = ("dimension", "stage")
COUNTS = ("day", "sessions", "new", "active", "known", "size", "singles", "incidences")
SHARES = ("mass", "spread", "fresh", "unseen", "distance", "movement")
COLUMNS = ("day", "dimension", *COUNTS[1:], *SHARES, "stage")
HEADINGS = {
    "day": "day",
    "sessions": "sessions",
    "new": "new",
    "known": "known",
    "size": "size",
    "mass": "unseen mass",
    "spread": "spread",
    "fresh": "fresh a day",
    "distance": "distance",
    "movement": "movement",
    "stage": "state",
}

Row = dict[str, Any]


@click.command()
@click.argument("workload")
@click.option("--days", type=click.IntRange(1, 366), default=14, show_default=True, help="How many of the last days.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="The last of these days.")
@click.option("--png", type=Output(), help="Write the chart to this file.")
@click.option("--csv", "csv_file", type=Output(), help="Write the rows, from which the chart can be drawn again.")
@asking
def converge(
    ctx: click.Context,
    workload: str,
    days: int,
    until: datetime | None,
    png: str | None,
    csv_file: str | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Show how an envelope converged; WORKLOAD may also be a CSV file that this command wrote.

    \b
    Example:
      driftline envelope converge lab/shop/Deployment/cart/cart --png cart.png --csv cart.csv
    """
    if Path(workload).is_file():
        name, state, rows = _read(Path(workload))
    else:
        found = asked(ctx, **where).get("envelopes", workload)
        name, state = workload, f"{found.get('state')}: {found.get('because')}"
        last = LAST_DAY if until is None else int(until.replace(tzinfo=UTC).timestamp() // DAY)
        rows = last_days(found.get("convergence") or [], days, last)
    if csv_file:
        _write(csv_file, to_csv(name, state, rows))
    if png:
        from console.cli.envelope_chart import draw  # matplotlib takes a second to load

        _write(png, draw(name, state, rows))
    if as_json:
        emit_json({"workload": name, "state": state, "spread_ratio": spread_ratio(rows), "rows": rows})
    else:
        _tell(state, rows)


def last_days(rows: list[Row], days: int, until: int = LAST_DAY) -> list[Row]:
    """The rows of the last days that have any, up to one day (number since the epoch)."""
    known = sorted({r["day"] for r in rows if r["day"] <= until})[-days:]
    return [r for r in rows if known and known[0] <= r["day"] <= known[-1]]


def total(rows: list[Row]) -> list[Row]:
    """Those of the whole envelope."""
    return [r for r in rows if r["dimension"] == "total"]


def spread_ratio(rows: list[Row], ends: int = 3) -> float | None:
    """Mean spread of the last three days over that of the first three; None where these overlap."""
    spreads = [r["spread"] for r in total(rows)]
    if len(spreads) < 2 * ends or not sum(spreads[:ends]):
        return None
    return round(sum(spreads[-ends:]) / sum(spreads[:ends]), 4)


def to_csv(name: str, state: str, rows: list[Row]) -> bytes:
    """Rows as CSV; the first line is a comment with what the chart's title says."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["# workload", _plain(name), "state", _plain(state)])
    writer.writerow(COLUMNS)
    writer.writerows([["" if r.get(c) is None else r[c] for c in COLUMNS] for r in rows])
    return text.getvalue().encode()


def from_csv(data: bytes) -> tuple[str, str, list[Row]]:
    """Workload, state and rows of a CSV.

    Raises:
        ValueError: It is none of ours.
    """
    lines = list(csv.reader(io.StringIO(data.decode())))
    if len(lines) < 2 or len(lines[0]) != 4 or lines[0][0] != "# workload" or tuple(lines[1]) != COLUMNS:
        raise ValueError("no such columns")
    return lines[0][1], lines[0][3], [_row(line) for line in lines[2:]]


def _row(line: list[str]) -> Row:
    values = dict(zip(COLUMNS, line, strict=True))
    out: Row = {t: values[t] for t in TEXTS}
    out |= {c: int(values[c]) for c in COUNTS}
    out |= {s: float(values[s]) if values[s] else None for s in SHARES}
    numbers = [out[n] for n in (*COUNTS, *SHARES) if out[n] is not None]
    if not 0 <= out["day"] <= LAST_DAY or not all(abs(n) < HUGE for n in numbers):  # NaN is not, either
        raise ValueError("a number that no envelope has")
    return out


def _read(path: Path) -> tuple[str, str, list[Row]]:
    try:
        if path.stat().st_size > LIMIT:
            raise ValueError("too large")
        return from_csv(path.read_bytes())
    except (OSError, ValueError, csv.Error):
        raise Failure(f"{path}: not a CSV of this command", "write one with --csv") from None


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as e:
        raise Failure(f"{path}: {e.strerror}", "give a file in a folder that may be written") from None


def _plain(text: str) -> str:
    """On one line, and nothing that a spreadsheet would take for a formula."""
    line = " ".join(text.split())
    return "'" + line if line[:1] in ("=", "+", "-", "@") else line


def date(day: int) -> str:
    """A day's number as its date; one that a hostile clock made stays a number."""
    import time

    try:
        return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))
    except (ValueError, OverflowError, OSError):
        return str(day)


def _tell(state: str, rows: list[Row]) -> None:
    if not rows:
        click.echo("nothing was seen yet", err=True)
        return
    shown = [[date(r["day"]) if key == "day" else r[key] for key in HEADINGS] for r in total(rows)]
    emit_table(HEADINGS.values(), shown)
    click.echo()
    say(state)
    ratio = spread_ratio(rows)
    if ratio is not None:
        say(f"the spread of the last three days is {ratio:.1%} of that of the first three")
