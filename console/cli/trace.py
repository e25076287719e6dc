"""`driftline trace`: record, replay, show, verify, import; `links` has the chain of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from console.cli.configured import EXISTING, SCALE, SECONDS, Number, Output
from console.cli.failure import Failure
from console.cli.links import trace_chain
from console.cli.output import emit_json, emit_table, json_option, note, say, track, working

if TYPE_CHECKING:
    from wire.records import Record


@click.group()
def trace() -> None:
    """Record, replay, show, verify and import traces.

    \b
    Example:
      driftline trace replay incident.trace
    """


trace.add_command(trace_chain, "chain")


@trace.command()
@click.argument("file", type=EXISTING)
@json_option
@click.option("--salvage", is_flag=True, help="Read a damaged file up to the damage.")
@click.option("--until", type=Number(), metavar="TIME", help="Stop before the first record after this event time.")
@click.option(
    "--policy",
    "policy_name",
    default="default",
    show_default=True,
    metavar="default|demo|FILE",
    help="Thresholds: the published ones, the demo's, or those of a YAML file.",
)
@click.option("--time-scale", type=SCALE, help="Divide every duration by this.")
@click.option(
    "--audit", type=click.Path(file_okay=False), metavar="DIR", help="Also write an audit trail into a folder."
)
def replay(
    file: str,
    as_json: bool,
    salvage: bool,
    until: float | None,
    policy_name: str,
    time_scale: float | None,
    audit: str | None,
) -> None:
    """Print the findings of a trace, the same bytes on every machine.

    \b
    Example:
      driftline trace replay incident.trace --json | sha256sum
    """
    from console.cli import findings
    from console.cli.audit_replay import audited
    from console.cli.captures import is_capture
    from console.cli.replaying import replayed

    if is_capture(file):
        raise Failure(f"{file}: a full capture holds calls, not findings", '"driftline trace show" counts them')

    records = track(_records(file, salvage=salvage), "replaying")
    if audit is None:
        found = replayed(records, policy=policy_name, time_scale=time_scale, until=until).findings()
    else:
        found = audited(records, audit, policy=policy_name, time_scale=time_scale, until=until).findings()
    if as_json:
        findings.print_canonical(found)
    else:
        findings.print_list(findings.plain(found))


@trace.command()
@click.argument("file", type=EXISTING)
@json_option
@click.option("--kind", "kinds", multiple=True, help="Only records of this kind, such as event; may be repeated.")
@click.option("--limit", type=click.IntRange(min=0), help="Stop after this many records.")
@click.option("--salvage", is_flag=True, help="Read a damaged file up to the damage.")
def show(file: str, as_json: bool, kinds: tuple[str, ...], limit: int | None, salvage: bool) -> None:
    """Print the records of a trace, one a line; of a full capture its calls, counted.

    \b
    Example:
      driftline trace show incident.trace --kind deploy
    """
    from itertools import islice

    from console.cli.captures import is_capture
    from console.cli.records import check_kinds, kind_of, line_of, plain

    if is_capture(file):
        _show_capture(file, as_json=as_json, limit=limit, salvage=salvage)
        return
    wanted = check_kinds(kinds)
    chosen = (r for r in _records(file, salvage=salvage) if not wanted or kind_of(r) in wanted)
    if as_json:
        print_array(plain(r) for r in islice(chosen, limit))
        return
    for record in islice(chosen, limit):
        say(line_of(record))


@trace.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=EXISTING)
@json_option
def verify(files: tuple[str, ...], as_json: bool) -> None:
    """Check every block of traces and say what is damaged.

    \b
    Example:
      driftline trace verify *.trace
    """
    from console.cli import captures
    from console.cli.records import fields_of
    from wire import trace as traces

    reports = []
    for file in files:
        with working(f"verifying {file}"):
            examine = captures.verify if captures.is_capture(file) else traces.verify
            reports.append({"file": file, **fields_of(examine(file))})
    if as_json:
        emit_json(reports)
    else:
        headings = list(reports[0])
        emit_table(headings, ([report[name] for name in headings] for report in reports))
    damaged = [report["file"] for report in reports if not report["complete"]]
    if damaged:
        hint = f'"driftline trace replay --salvage {damaged[0]}" reads what is whole'
        raise Failure(f"{', '.join(damaged)}: cut or damaged", hint)


@trace.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=EXISTING)
@click.option("-o", "--output", required=True, type=Output(), help="Trace to write.")
@click.option(
    "--format",
    "chosen",
    type=click.Choice(["auto", "scap", "strace", "sequence"]),
    default="auto",
    show_default=True,
    help="What the files are; auto looks at their first bytes.",
)
@click.option("--workload", help="Owner of everything, instead of those that the files name.")
@click.option("--interval", type=SECONDS, help="Seconds of a window.  [default: 10]")
@json_option
def import_(files: tuple[str, ...], output: str, chosen: str, as_json: bool, **wanted: Any) -> None:
    """Turn captures of other tools into one trace.

    \b
    Example:
      driftline trace import capture.scap -o capture.trace
    """
    from console.cli import importing

    summary = importing.write(files, output, chosen, watch=lambda records: track(records, "importing"), **wanted)
    if as_json:
        emit_json(summary)
    else:
        emit_table(("what", "count"), summary["counts"].items())
        say(f"\n{output}: {summary['records']} records")
    for file, damage in summary["damage"].items():
        note(f"{file}: {damage}")


@trace.command()
@click.option("-o", "--output", required=True, type=Output(), help="Trace to write.")
@click.option("--scope", metavar="CGROUP", help="Record only this cgroup and what is below it.")
@click.option("--interval", type=SECONDS, help="Seconds between windows.")
@click.option("--duration", type=Number(min=0, min_open=True), help="Seconds to record; until Ctrl-C without.")
@click.option("--name", help="Name of this instance of the sensor.")
@click.option("--full", is_flag=True, help="One row per system call, and nothing else, for forensics and research.")
@json_option
@click.pass_context
def record(ctx: click.Context, output: str, as_json: bool, full: bool, **wanted: Any) -> None:
    """Record what the kernel shows into a trace.

    \b
    Example:
      driftline trace record -o incident.trace --scope /system.slice/agent.service --duration 60
    """
    from console.cli.configured import settings
    from console.cli.privilege import need_root

    need_root("recording")
    from console.cli import recording

    begin = recording.record_calls if full else recording.record
    summary = begin(settings(ctx), output, **wanted)
    if as_json:
        emit_json(summary)
    else:
        say(", ".join(f"{name} {value}" for name, value in summary.items()))


def _records(file: str, *, salvage: bool) -> Iterator[Record]:
    """The records of a trace; what salvage had to leave out is said on stderr."""
    from wire.trace import read

    reader = read(file, salvage=salvage)
    yield from reader
    if reader.damage.regions:
        note(f"{file}: {'; '.join(map(str, reader.damage.places))}")


def _show_capture(file: str, *, as_json: bool, limit: int | None, salvage: bool) -> None:
    from console.cli.captures import summary

    rows = summary(file, salvage=salvage)[:limit]
    if as_json:
        emit_json(rows)
    else:
        emit_table(("slot", "path", "call", "count"), (row.values() for row in rows))


def print_array(items: Iterator[Any]) -> None:
    """Print a JSON array item by item, so that a large trace needs no large memory."""
    import json

    opening = "["
    for item in items:
        click.echo(opening + "\n" + json.dumps(item, sort_keys=True, default=str), nl=False)
        opening = ","
    click.echo("[]" if opening == "[" else "\n]")
