"""`driftline workload`: list, show."""

from __future__ import annotations

from typing import Any

import click

from console.cli.answers import rows
from console.cli.configured import asked, asking, asking_for_many, tell_trouble
from console.cli.failure import Failure
from console.cli.output import emit_json, emit_list, emit_table, moment

COLUMNS = {
    "workload": "workload",
    "state": "envelope",
    "because": "why",
    "replicas": "replicas",
    "revisions": "revisions",
    "behaviours": "behaviours",
    "seen": "last seen",
}
TIMES = ("first_seen", "last_seen")


@click.group()
def workload() -> None:
    """List and show workloads.

    \b
    Example:
      driftline workload list
    """


@workload.command("list")
@asking_for_many
def list_(ctx: click.Context, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List the workloads that were seen, with the state of their envelopes.

    \b
    Example:
      driftline workload list --csv
    """
    source = asked(ctx, **where)
    found = rows(source.get("workloads"), "workloads")
    shown = found if as_json else [w | {"seen": moment(w.get("last_seen"))} for w in found]
    emit_list(shown, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no workload was seen yet")
    tell_trouble(source)


@workload.command()
@click.argument("workload")
@asking
def show(ctx: click.Context, workload: str, as_json: bool, **where: Any) -> None:
    """Show one workload: its envelope's state, revisions and replicas.

    \b
    Example:
      driftline workload show lab/shop/Deployment/cart/cart
    """
    found = [w for w in rows(asked(ctx, **where).get("workloads"), "workloads") if w.get("workload") == workload]
    if not found:
        raise Failure(f"no workload {workload} was seen", 'run "driftline workload list"')
    if as_json:
        emit_json(found[0])
    else:
        emit_table(("what", "value"), ((k, moment(v) if k in TIMES else v) for k, v in found[0].items()))
