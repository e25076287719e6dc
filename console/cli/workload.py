"""`driftline workload`: list, show."""

from __future__ import annotations

import click

from console.cli.configured import control
from console.cli.output import emit_json, emit_list, emit_table, json_option, list_options

COLUMNS = {
    "workload": "workload",
    "state": "envelope",
    "reason": "why",
    "revisions": "revisions",
    "replicas": "replicas",
    "behaviours": "behaviours",
    "findings": "findings",
}


@click.group()
def workload() -> None:
    """List and show workloads.

    \b
    Example:
      driftline workload list
    """


@workload.command("list")
@list_options
@click.pass_context
def list_(ctx: click.Context, as_json: bool, as_csv: bool) -> None:
    """List the workloads that were seen, with the state of their envelopes.

    \b
    Example:
      driftline workload list --csv
    """
    from console.cli.answers import rows

    found = rows(control(ctx).get("workloads"), "workloads")
    emit_list(found, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no workload was seen yet")


@workload.command()
@click.argument("workload")
@json_option
@click.pass_context
def show(ctx: click.Context, workload: str, as_json: bool) -> None:
    """Show one workload: its envelope's state, revisions and replicas.

    \b
    Example:
      driftline workload show lab/shop/Deployment/cart/cart
    """
    from console.cli.answers import rows
    from console.cli.failure import Failure

    found = [w for w in rows(control(ctx).get("workloads"), "workloads") if w.get("workload") == workload]
    if not found:
        raise Failure(f"no workload {workload} was seen", 'run "driftline workload list"')
    if as_json:
        emit_json(found[0])
    else:
        emit_table(("what", "value"), found[0].items())
