"""`driftline deploy`: announce changes, list those that were announced."""

from __future__ import annotations

import click

from console.cli.configured import Number, control
from console.cli.output import emit_json, emit_list, json_option, list_options, moment, say

KINDS = ("image", "model", "prompt", "tools", "config", "dependency", "restart")
COLUMNS = {
    "when": "time",
    "workload": "workload",
    "kind": "kind",
    "revision": "revision",
    "source": "source",
    "trust": "trust",
    "refused": "refused",
    "id": "id",
}


@click.group()
def deploy() -> None:
    """Announce and list changes.

    \b
    Example:
      driftline deploy mark shop/cart --kind model --revision r2
    """


@deploy.command()
@click.argument("workload")
@click.option("--kind", type=click.Choice(KINDS), default="image", show_default=True, help="What changes.")
@click.option("--revision", help="Revision that the new replicas carry; none for a change without restart.")
@click.option("--scope", multiple=True, metavar="BEHAVIOUR", help="A behaviour it declares, * as wildcard; repeatable.")
@click.option(
    "--time", "began", type=Number(), metavar="SECONDS", help="When it began, since the epoch; now without it."
)
@click.option("--id", "id", help="Id of the change; a second mark with it changes nothing.")
@click.option("--actor", help="Who deploys; the user of this session without it.")
@json_option
@click.pass_context
def mark(
    ctx: click.Context,
    workload: str,
    kind: str,
    revision: str | None,
    scope: tuple[str, ...],
    began: float | None,
    id: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Announce a change of a workload.

    \b
    Example:
      driftline deploy mark lab/shop/Deployment/cart/cart --kind tools --scope 'egress:tcp:*.example.org:443'
    """
    import time
    import uuid

    from console.cli.actor import current

    body = {
        "id": id or f"cli-{uuid.uuid4().hex}",
        "time": time.time() if began is None else began,  # noqa: TID251  a mark means now unless it says when
        "workload": workload,
        "kind": kind,
        "revision": revision,
        "scope": list(scope),
        "actor": actor or current(),
    }
    answer = control(ctx).post("deploys", body=body)
    if as_json:
        emit_json(answer)
    else:
        told = answer if isinstance(answer, dict) else {}
        say(f"{told.get('id', body['id'])}: {kind} of {workload} marked, trust {told.get('trust', 'unknown')}")


@deploy.command("list")
@click.option("--workload", help="Only changes of this workload.")
@list_options
@click.pass_context
def list_(ctx: click.Context, workload: str | None, as_json: bool, as_csv: bool) -> None:
    """List the changes that were announced, refused ones included.

    \b
    Example:
      driftline deploy list --workload lab/shop/Deployment/cart/cart
    """
    from console.cli.answers import rows

    found = rows(control(ctx).get("deploys", workload=workload), "deploys")
    found = [d | {"when": moment(d.get("time"))} for d in found if workload in (None, d.get("workload"))]
    emit_list(found, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no changes were announced")
