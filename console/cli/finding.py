"""`driftline finding`: list, show, triage."""

from __future__ import annotations

from typing import Any

import click

from console.cli.configured import asked, control, tell_trouble, trace_options
from console.cli.output import emit_json, json_option, list_options, say

LABELS = ("expected_evolution", "risky_drift", "needs_review")
DECISIONS = ("accept", "risky", "dismiss")


@click.group()
def finding() -> None:
    """List, show and triage findings.

    \b
    Example:
      driftline finding list --label risky_drift
    """


@finding.command("list")
@click.option("--label", type=click.Choice(LABELS), help="Only findings with this label.")
@click.option("--workload", help="Only findings of this workload.")
@trace_options
@list_options
@click.pass_context
def list_(
    ctx: click.Context, label: str | None, workload: str | None, as_json: bool, as_csv: bool, **where: Any
) -> None:
    """List findings, the latest last.

    \b
    Example:
      driftline finding list --label risky_drift --json
    """
    from console.cli import findings

    source = asked(ctx, **where)
    found = findings.chosen(source.get("findings", label=label, workload=workload), label, workload)
    findings.print_list(found, as_json=as_json, as_csv=as_csv)
    tell_trouble(source)


@finding.command()
@click.argument("id")
@click.option("--records", is_flag=True, help="Print the records behind it whole.")
@trace_options
@json_option
@click.pass_context
def show(ctx: click.Context, id: str, records: bool, as_json: bool, **where: Any) -> None:
    """Show a finding: label, probability, signals, deploy events, replicas, terms, history, and its records.

    \b
    Example:
      driftline finding show 3f9a1c --records
    """
    from console.cli import findings

    source = asked(ctx, **where)
    found = findings.by_id(source, id, lambda whole: source.get("findings", whole))
    replicas = findings.side_by_side(source, str(found.get("id")))
    if as_json:
        more = {"records": findings.evidence(source, found, every=True)} if records else {}
        emit_json(found | {"beside": replicas} | more)
        return
    findings.print_one(found, findings.evidence(source, found, every=records), replicas, whole=records)


@finding.command()
@click.argument("id")
@click.argument("decision", type=click.Choice(DECISIONS))
@click.option("--note", default="", help="Why, for those who read it later.")
@click.option("--actor", help="Who decides; the user of this session without it.")
@json_option
@click.pass_context
def triage(ctx: click.Context, id: str, decision: str, note: str, actor: str | None, as_json: bool) -> None:
    """Decide about a finding: accept it as normal, mark it risky for good, or dismiss it.

    \b
    Example:
      driftline finding triage 3f9a1c accept --note "new search backend, change 812"
    """
    from console.cli.actor import current
    from console.cli.findings import by_id

    source = control(ctx)
    body = {"decision": decision, "note": note, "actor": actor or current()}
    answer = by_id(source, id, lambda whole: source.post("triage", body={"finding": whole} | body))
    if as_json:
        emit_json(answer)
    else:
        say(f"{id}: {decision}")
