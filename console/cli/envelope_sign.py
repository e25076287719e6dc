"""`driftline envelope sign`: what is admitted now becomes the reference that later changes are measured against."""

from __future__ import annotations

import click

from console.cli.actor import current
from console.cli.configured import control
from console.cli.failure import Failure
from console.cli.output import emit_json, json_option, say


@click.command()
@click.argument("workload")
@click.option("--note", default="", help="Why; it stays with the signature.")
@json_option
@click.pass_context
def sign(ctx: click.Context, workload: str, note: str, as_json: bool) -> None:
    """Sign the admitted behaviours of an envelope as its reference.

    \b
    Example:
      driftline envelope sign lab/shop/Deployment/cart/cart --note "go-live review"
    """
    source = control(ctx)
    digest = source.get("envelopes", workload).get("digest")
    body = {"workload": workload, "what": "signed", "value": digest, "actor": current(), "note": note}
    source.post("pins", body=body)
    signed = source.get("envelopes", workload).get("signed") or {}
    if signed.get("digest") != digest:
        raise Failure("the envelope changed while it was signed", "look at it again and repeat the command")
    if as_json:
        emit_json(signed)
    else:
        say(f"{workload}: signed {digest} with {len(signed.get('admitted') or [])} admitted behaviours")
