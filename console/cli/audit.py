"""`driftline audit`: list, show, explain, export, verify, head, key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.configured import EXISTING, Output, trace_options
from console.cli.failure import FAILED, Failure
from console.cli.instant import NOW, Instant
from console.cli.output import emit_json, emit_list, json_option, list_options, moment, say
from console.cli.private import replace

ROWS = {
    "id": "id",
    "when": "time",
    "kind": "kind",
    "what": "what",
    "label": "label",
    "finding": "finding",
    "workload": "workload",
}
KINDS = ("finding", "sensing_gap", "deploy_refused", "override", "retention", "key", "untold", "access")
DIR = click.option("--dir", "folder", type=click.Path(file_okay=False), help="Folder of the trail, such as a replay's.")
KEY = click.option("--key", required=True, metavar="PUB", help="Public key of the trail: a file, or the key itself.")


@click.group()
def audit() -> None:
    """Show, export and verify the audit trail.

    \b
    Example:
      driftline audit list --kind finding
    """


@audit.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only rows of this kind.")
@click.option("--workload", help="Only rows of this workload.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="The newest so many.")
@DIR
@list_options
@click.pass_context
def list_(
    ctx: click.Context,
    kind: str | None,
    workload: str | None,
    limit: int,
    folder: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """List rows of the trail, the latest last.

    \b
    Example:
      driftline audit list --workload prod/shop/Deployment/agent/agent
    """
    from console.cli.audit_rows import opened

    with opened(ctx, folder) as ledger:
        found = ledger.listed(kind=kind or "", workload=workload or "", limit=limit)
    if not as_json:
        found = [row | {"when": moment(row["time"])} for row in found]
    emit_list(found, ROWS, as_json=as_json, as_csv=as_csv, empty="no rows")


@audit.command()
@click.argument("id")
@click.option("--html", "as_html", is_flag=True, help="Print the page as HTML, which needs nothing else.")
@click.option("--records", is_flag=True, help="Print the records behind it whole.")
@DIR
@json_option
@click.pass_context
def show(ctx: click.Context, id: str, as_html: bool, records: bool, folder: str | None, as_json: bool) -> None:
    """Show a row on one page, in plain words.

    ID is a row's, or a finding's: then its newest row.

    \b
    Example:
      driftline audit show AR-000017
    """
    from console.cli import audit_rows
    from guard.audit import page

    with audit_rows.opened(ctx, folder) as ledger:
        row = audit_rows.chosen(ledger, id)
        frames = ledger.records(row.seq) if records else {}
    if row.body is None:
        raise Failure(
            f"{row.id}: its body is past its retention; its hash is {row.hash.hex()}", "look for an exported bundle"
        )
    if as_json:
        emit_json(row.value | {"hash": row.hash.hex()} | ({"frames": audit_rows.plain(frames)} if records else {}))
        return
    click.echo((page.html if as_html else page.text)(row.value), nl=False)
    for line in audit_rows.lines(frames):
        say(line)


@audit.command()
@click.argument("workload")
@click.option("--at", type=Instant(), required=True, help="A moment; the minute around it is explained.")
@DIR
@trace_options
@json_option
@click.pass_context
def explain(ctx: click.Context, workload: str, at: float, folder: str | None, as_json: bool, **where: Any) -> None:
    """Say what a workload did in a minute, and why it was normal or not; the uneventful ones, too.

    With --trace the minute is counted again. A running classifier keeps no counts of past minutes; then the behaviours that
    were known at that time are listed.

    \b
    Example:
      driftline audit explain prod/shop/Deployment/agent/agent --at 2026-11-17T14:32 --trace run.trace
    """
    from console.cli import audit_explain

    if at == NOW:
        raise click.UsageError("--at now has no minute yet; name a past moment")
    told = audit_explain.told(ctx, workload, at, folder, **where)
    if as_json:
        emit_json(told)
    else:
        audit_explain.shown(told)


@audit.command()
@click.option("--bundle", "output", required=True, type=Output(), help="File to write, a ZIP.")
@click.option("--id", "ids", multiple=True, help="Only this row, or all rows of this finding; may be repeated.")
@click.option("--last", type=click.IntRange(1, 20_000), help="Only the last so many rows.")
@click.option("--anchor", type=EXISTING, help="A head that was kept elsewhere; proves that the trail grew from it.")
@DIR
@json_option
@click.pass_context
def export(
    ctx: click.Context,
    output: str,
    ids: tuple[str, ...],
    last: int | None,
    anchor: str | None,
    folder: str | None,
    as_json: bool,
) -> None:
    """Write rows with proofs, records and a page each into one file that anybody can verify.

    \b
    Example:
      driftline audit export --bundle case-812.zip --id AR-000017
    """
    from console.cli import audit_rows
    from guard.audit.bundle import bundle

    if ids and last:
        raise click.UsageError("--id and --last exclude each other")
    with audit_rows.opened(ctx, folder) as ledger:
        signer, seqs = audit_rows.signer_of(ctx, folder), audit_rows.numbers(ledger, ids, last)
        data = bundle(ledger, signer.public_key(), seqs, signer=signer, anchor=audit_rows.head_of(anchor))
    replace(Path(output), data)
    told = {"file": output, "bytes": len(data), "rows": len(seqs)}
    if as_json:
        emit_json(told)
    else:
        say(f"{output}: {len(seqs)} rows, {len(data)} bytes")


@audit.command()
@click.argument("file", type=EXISTING, metavar="BUNDLE")
@KEY
@click.option("--anchor", type=EXISTING, help="A head that was kept elsewhere; the trail must have grown from it.")
@json_option
def verify(file: str, key: str, anchor: str | None, as_json: bool) -> None:
    """Check every byte of a bundle, offline; the first bad row is named.

    \b
    Example:
      driftline audit verify case-812.zip --key audit.pub
    """
    from console.cli import audit_rows
    from guard.audit.keys import public_of
    from guard.audit.verify import first_row
    from guard.audit.verify import verify as examine

    report = examine(audit_rows.bounded(Path(file)), public_of(key), audit_rows.head_of(anchor))
    bad = first_row(report)
    if as_json:
        emit_json(audit_rows.report(file, report))
    else:
        for line in audit_rows.words(file, report):
            say(line)
    if not report.good:
        why = next(what for where, what in report.problems if report.cited.get(where, where) == bad)
        raise Failure(
            f"{file}: {bad}: {why}", "do not rely on it; ask for another copy, and keep this one", code=FAILED
        )


@audit.command()
@click.option("--output", type=Output(), help="File to write it to, for keeping elsewhere.")
@DIR
@json_option
@click.pass_context
def head(ctx: click.Context, output: str | None, folder: str | None, as_json: bool) -> None:
    """Print the newest signed state of the trail.

    Whoever keeps it elsewhere can prove later that rows were changed.

    \b
    Example:
      driftline audit head --output /mnt/elsewhere/head.json
    """
    from console.cli.audit_rows import opened
    from guard.audit.heads import parsed

    with opened(ctx, folder) as ledger:
        body = ledger.head()
    if body is None:
        raise Failure("no head is signed yet", "one follows the first row")
    found = parsed(body)
    if output:
        replace(Path(output), body + b"\n")
    if as_json:
        click.echo(body.decode())
    elif output:
        say(f"{output}: {found.size} rows, signed {moment(found.time)}")
    else:
        say(f"{found.size} rows, signed {moment(found.time)} by {found.key[:16]}, root {found.root}")


@audit.command()
@click.option("--create", is_flag=True, help="Make one where there is none.")
@click.option("--pem", "as_pem", is_flag=True, help="Print the public key as PEM, for a file.")
@DIR
@json_option
@click.pass_context
def key(ctx: click.Context, create: bool, as_pem: bool, folder: str | None, as_json: bool) -> None:
    """Print the public key of the trail, and its fingerprint.

    \b
    Example:
      driftline audit key --pem > audit.pub
    """
    from console.cli.audit_rows import key_path
    from guard.audit import keys

    path = key_path(ctx, folder)
    found = (keys.create(path) if create and not path.exists() else keys.load(path)).public_key()
    told = {"key": keys.short(found), "fingerprint": keys.fingerprint(found), "file": str(path)}
    if as_json:
        emit_json(told)
    elif as_pem:
        click.echo(keys.pem(found), nl=False)
    else:
        for words in (told["key"], f"fingerprint {told['fingerprint']}", f"file {told['file']}"):
            say(words)
