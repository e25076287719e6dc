"""`driftline inventory`: show, diff, changes, discover, check, capmap, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.answers import rows
from console.cli.configured import Output, asked, asking, asking_for_many, tell_trouble
from console.cli.instant import Instant
from console.cli.inventory_declared import capmap, check
from console.cli.inventory_past import AT, at_of, explained, history
from console.cli.inventory_showing import ITEMS, emit_changes, in_words, print_head
from console.cli.output import emit_json, emit_list, moment, note, say

FOUND = {"workload": "workload", "state": "state", "reasons": "why", "proposed": "class", "seen": "first seen"}


@click.group()
def inventory() -> None:
    """Show what workloads are made of: models, frameworks, tool servers, data sources, identities.

    \b
    Example:
      driftline inventory show prod/shop/Deployment/agent/agent --at 2026-11-17T14:32
    """


@inventory.command()
@click.argument("workload")
@AT
@click.option("--all", "everything", is_flag=True, help="List libraries, too.")
@click.option("--diff", "other", type=Instant(), help="Say, too, what changed until this moment, e.g. now.")
@asking_for_many
def show(
    ctx: click.Context,
    workload: str,
    at: float,
    everything: bool,
    other: float | None,
    as_json: bool,
    as_csv: bool,
    **where: Any,
) -> None:
    """Show the inventory of a workload as of a moment, how each item is known, and what may be missing.

    \b
    Example:
      driftline inventory show prod/shop/Deployment/agent/agent --at 2026-11-17T14:32 --diff now
    """
    from classifier.inventory import moment as moments

    source, past = history(ctx, workload, where)
    with explained(past):
        found = moments.shown(past, at_of(past, at))
        since = None if other is None else moments.difference(past, at_of(past, at), at_of(past, other))
    if as_json and not as_csv:
        emit_json(found if since is None else found | {"diff": since})
        return
    items = [r for r in found["items"] if everything or as_csv or r["kind"] != "library"]
    if not as_csv:
        print_head(found)
    emit_list([in_words(r) for r in items], ITEMS, as_json=as_json, as_csv=as_csv, empty="nothing was loaded or asked")
    if since is not None and not as_csv:
        say(f"\nfrom then until {moment(at_of(past, other))}")
        emit_changes(since, as_json=False, as_csv=False)
    tell_trouble(source)


@inventory.command()
@click.argument("workload")
@click.option("--from", "before", type=Instant(), required=True, help="The earlier moment, in UTC.")
@click.option("--to", "after", type=Instant(), default="now", show_default=True, help="The later moment.")
@asking_for_many
def diff(
    ctx: click.Context, workload: str, before: float, after: float, as_json: bool, as_csv: bool, **where: Any
) -> None:
    """Compare the inventories of two moments.

    \b
    Example:
      driftline inventory diff prod/shop/Deployment/agent/agent --from 2026-11-17T14:32
    """
    from classifier.inventory import moment as moments

    _, past = history(ctx, workload, where)
    with explained(past):
        found = moments.difference(past, at_of(past, before), at_of(past, after))
    emit_changes(found, as_json=as_json, as_csv=as_csv)


@inventory.command()
@click.argument("workload")
@click.option("--since", type=Instant(), help="Only what is later, in UTC.")
@asking_for_many
def changes(ctx: click.Context, workload: str, since: float | None, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List what came and went, in order; restarts and rollouts alone are no change.

    \b
    Example:
      driftline inventory changes prod/shop/Deployment/agent/agent --csv
    """
    from dataclasses import asdict

    from classifier.inventory import moment as moments

    _, past = history(ctx, workload, where)
    found = moments.changes(past, float("-inf") if since is None else at_of(past, since))
    emit_changes([asdict(c) for c in found], as_json=as_json, as_csv=as_csv)


@inventory.command()
@click.option("--all", "everything", is_flag=True, help="List what is registered or no agent, too.")
@asking_for_many
def discover(ctx: click.Context, everything: bool, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List workloads that behave like agents and that nobody has pinned a class or a track for, with the reasons.

    \b
    Example:
      driftline inventory discover --json
    """
    source = asked(ctx, **where)
    found = rows(source.get("inventory"), "inventories")
    wanted = [r | {"seen": moment(r["since"])} for r in found if everything or r["state"] == "unregistered_agent"]
    emit_list(wanted, FOUND, as_json=as_json, as_csv=as_csv, empty="every agent is registered")
    tell_trouble(source)


@inventory.command()
@click.argument("workload")
@AT
@click.option(
    "--format", "form", type=click.Choice(["cyclonedx"]), default="cyclonedx", show_default=True, help="What to write."
)
@click.option("--output", type=Output(), help="A file instead of stdout.")
@asking
def export(
    ctx: click.Context, workload: str, at: float, form: str, output: str | None, as_json: bool, **where: Any
) -> None:
    """Write the inventory as of a moment as a bill of materials: CycloneDX 1.6, JSON.

    \b
    Example:
      driftline inventory export prod/shop/Deployment/agent/agent --output agent.cdx.json
    """
    import json
    from importlib.metadata import version

    from classifier.inventory import moment as moments
    from classifier.inventory.cyclonedx import bom

    _, past = history(ctx, workload, where)
    with explained(past):
        found = moments.shown(past, at_of(past, at))
    if not found["complete"]:
        note(f"it may be incomplete: {', '.join(found['unknown'])}")
    document = bom(found, version("driftline"))
    if output is None:
        emit_json(document)
        return
    Path(output).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    counts = {part: len(document[part]) for part in ("components", "services")}
    if as_json:
        emit_json({"output": output, "format": form} | counts)
    else:
        say(f"{output}: {counts['components']} components, {counts['services']} services")


inventory.add_command(check)
inventory.add_command(capmap)
