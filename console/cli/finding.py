"""`driftline finding`: list, show, triage; `links` has its chain."""

from __future__ import annotations

from typing import Any

import click

from console.cli.configured import asked, asking, asking_for_many, control, tell_trouble
from console.cli.links import finding_chain
from console.cli.output import emit_json, json_option, say

LABELS = ("expected_evolution", "risky_drift", "needs_review")
DECISIONS = ("accept", "adopt", "reject", "dismiss", "risky")
REASONED = ("accept", "adopt", "reject", "risky")


@click.group()
def finding() -> None:
    """List, show and triage findings.

    \b
    Example:
      driftline finding list --label risky_drift
    """


finding.add_command(finding_chain, "chain")


@finding.command("list")
@click.option("--label", type=click.Choice(LABELS), help="Only findings with this label.")
@click.option("--workload", help="Only findings of this workload.")
@asking_for_many
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
@asking
def show(ctx: click.Context, id: str, records: bool, as_json: bool, **where: Any) -> None:
    """Show a finding: label, probability, signals, deploy events, replicas, terms, history, and its records.

    \b
    Example:
      driftline finding show 3f9a1c --records
    """
    from console.cli import findings, showing

    source = asked(ctx, **where)
    found = findings.by_id(source, id, lambda whole: source.get("findings", whole))
    replicas = findings.side_by_side(source, str(found.get("id")))
    if as_json:
        more = {"records": findings.evidence(source, found, every=True)} if records else {}
        emit_json(found | {"beside": replicas} | more)
        return
    showing.print_one(found, findings.evidence(source, found, every=records), replicas, whole=records)


@finding.command()
@click.argument("id")
@click.argument("decision", type=click.Choice(DECISIONS), required=False)
@click.option("--note", default="", help="Why, for those who read it later; only dismiss goes without.")
@click.option("--owner", help="With adopt: who answers for it from now on; who decides, without it.")
@click.option("--actor", help="Who decides; the user of this session without it.")
@click.option("--history", is_flag=True, help="Print which labels it had and who decided what; decide nothing.")
@json_option
@click.pass_context
def triage(
    ctx: click.Context,
    id: str,
    decision: str | None,
    note: str,
    owner: str | None,
    actor: str | None,
    history: bool,
    as_json: bool,
) -> None:
    """Decide about a finding, for its workload only.

    To accept makes it normal from now on. To adopt does the same for a change that nobody declared, and names who owns
    it. To reject makes it risky for good, never learned ("risky" means the same). To dismiss closes it and teaches
    nothing.

    \b
    Example:
      driftline finding triage 3f9a1c accept --note "new search backend, change 812"
    """
    from console.cli.actor import current

    if history:
        _history(ctx, id, decision, as_json=as_json)
        return
    who = actor or current()
    body = {"decision": _checked(decision, note, owner), "note": _owned(decision, note, owner or who), "actor": who}
    _decide(ctx, id, body, as_json=as_json)


def _checked(decision: str | None, note: str, owner: str | None) -> str:
    """The decision, if it can be told to a classifier."""
    if decision is None:
        raise click.UsageError(f"say what you decide: {', '.join(DECISIONS)}; or --history")
    if decision in REASONED and not note.strip():
        raise click.UsageError(f"{decision} needs --note with the reason; it is kept with the finding")
    if owner and decision != "adopt":
        raise click.UsageError("--owner belongs to adopt")
    return decision


def _owned(decision: str | None, note: str, owner: str) -> str:
    return f"owner {owner}: {note}" if decision == "adopt" else note


def _decide(ctx: click.Context, id: str, body: dict[str, str], *, as_json: bool) -> None:
    from console.cli.findings import by_id

    source = control(ctx)
    answer = by_id(source, id, lambda whole: source.post("triage", body={"finding": whole} | body))
    if as_json:
        emit_json(answer)
    else:
        say(f"{id}: {body['decision']}")


def _history(ctx: click.Context, id: str, decision: str | None, *, as_json: bool) -> None:
    from console.cli import findings, showing

    if decision is not None:
        raise click.UsageError("--history decides nothing; leave the decision out")
    source = control(ctx)
    found = findings.by_id(source, id, lambda whole: source.get("findings", whole))
    versions = list(found.get("history") or ())
    if as_json:
        emit_json(versions)
    else:
        showing.print_history(versions)
