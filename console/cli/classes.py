"""`driftline class`: list, show, pin, unpin, baseline."""

from __future__ import annotations

from typing import Any

import click

from classifier.classes.table import CLASSES
from console.cli.answers import rows
from console.cli.configured import asked, asking, asking_for_many, control, tell_trouble
from console.cli.output import emit_json, emit_list, emit_table, json_option, moment, say

COLUMNS = {
    "workload": "workload",
    "class": "class",
    "proposed": "proposed",
    "pinned_by": "pinned by",
    "retier_required": "retier",
    "because": "why",
}
SCORES = {"class": "class", "points": "points", "reasons": "reasons", "lost": "why it lost"}
CHANGES = {"when": "time", "before": "before", "after": "after", "because": "why"}
PINS = {"when": "time", "value": "class", "actor": "by", "note": "note"}
SHAPES = {"template": "shape", "support": "workloads", "share": "share", "severity": "severity"}
HEAD = ("workload", "class", "proposed", "because", "pinned", "pinned_by", "note", "retier_required", "stricter")


@click.group("class")
def classes() -> None:
    """Say what kind of agent a workload is, and pin it.

    \b
    Example:
      driftline class show prod/shop/Deployment/agent/agent
    """


@classes.command("list")
@asking_for_many
def list_(ctx: click.Context, as_json: bool, as_csv: bool, **where: Any) -> None:
    """List workloads with their class, proposed from behaviour or pinned by a person.

    \b
    Example:
      driftline class list --csv
    """
    source = asked(ctx, **where)
    found = rows(source.get("classes"), "classes")
    emit_list(found, COLUMNS, as_json=as_json, as_csv=as_csv, empty="no workload was seen yet")
    tell_trouble(source)


@classes.command()
@click.argument("workload")
@asking
def show(ctx: click.Context, workload: str, as_json: bool, **where: Any) -> None:
    """Show a workload's class: the proposal with its evidence, who pinned it, why the others lost.

    \b
    Example:
      driftline class show prod/shop/Deployment/agent/agent
    """
    found = asked(ctx, **where).get("classes", workload)
    if as_json:
        emit_json(found)
        return
    emit_table(("what", "value"), [(name, found.get(name)) for name in HEAD])
    if now := found.get("now"):
        say(f"\nas of now: {now['winner']}, {now['because']}")
    if rival := found.get("rival"):
        say(f"{rival['class']} has won on {rival['days']} of the {rival['needed']} active days that a change needs")
    _table("scores", [_in_words(s) for s in found.get("scores", [])], SCORES)
    _evidence(found.get("scores", []))
    _table("changes", [c | {"when": moment(c["time"])} for c in found.get("changes", [])], CHANGES)
    _table("pins", [p | {"when": moment(p["time"])} for p in found.get("pins", [])], PINS)


def _in_words(score: dict[str, Any]) -> dict[str, Any]:
    return score | {"reasons": ", ".join(f"{r['words']} ({r['points']:+g})" for r in score["reasons"][:4])}


def _evidence(scores: list[dict[str, Any]]) -> None:
    """Which behaviours speak for the best class."""
    for reason in scores[0]["reasons"] if scores else []:
        if reason["points"] > 0 and reason["shown_by"]:
            say(f"\n{reason['words']}, shown by")
            for behaviour in reason["shown_by"]:
                say(f"  {behaviour}")


def _table(title: str, found: list[dict[str, Any]], columns: dict[str, str]) -> None:
    if found:
        say(f"\n{title}")
        emit_list(found, columns)


@classes.command()
@click.argument("workload")
@click.argument("name", metavar="CLASS", type=click.Choice(list(CLASSES)))
@click.option("--note", default="", help="Why, for those who read it later.")
@click.option("--actor", help="Who decides; the user of this session without it.")
@json_option
@click.pass_context
def pin(ctx: click.Context, workload: str, name: str, note: str, actor: str | None, as_json: bool) -> None:
    """Pin the class of a workload; it holds until it is taken back, whatever the behaviour suggests.

    \b
    Example:
      driftline class pin prod/shop/Deployment/agent/agent code-execution --note "runs customers' notebooks"
    """
    _order(ctx, workload, name, note, actor, as_json)


@classes.command()
@click.argument("workload")
@click.option("--note", default="", help="Why, for those who read it later.")
@click.option("--actor", help="Who decides; the user of this session without it.")
@json_option
@click.pass_context
def unpin(ctx: click.Context, workload: str, note: str, actor: str | None, as_json: bool) -> None:
    """Take a pinned class back, so that the proposal holds again.

    \b
    Example:
      driftline class unpin prod/shop/Deployment/agent/agent
    """
    _order(ctx, workload, "", note, actor, as_json)


def _order(ctx: click.Context, workload: str, value: str, note: str, actor: str | None, as_json: bool) -> None:
    from console.cli.actor import current

    body = {"workload": workload, "what": "class", "value": value, "note": note, "actor": actor or current()}
    answer = control(ctx).post("pins", body=body)
    if as_json:
        emit_json(answer)
    else:
        say(f"{workload}: {'class ' + value if value else 'its class is proposed from behaviour again'}")


@classes.command()
@click.argument("name", metavar="CLASS", type=click.Choice(list(CLASSES)))
@asking_for_many
def baseline(ctx: click.Context, name: str, as_json: bool, as_csv: bool, **where: Any) -> None:
    """Show what the workloads of a class share: shapes of behaviour that at least three of them show.

    \b
    Example:
      driftline class baseline tool-user
    """
    found = asked(ctx, **where).get("baselines", name)
    if as_json and not as_csv:
        emit_json(found)
        return
    if not as_csv:
        say(f"{name}: {found['words']}; {found['workloads']} workloads, digest {found['digest']}")
        novelty = ", ".join(f"{d} {n:g}" for d, n in found["prior"]["novelty"].items())
        say(f"a new workload of this class is expected to show, per day, new: {novelty}")
    empty = "no three workloads of this class share anything yet"
    emit_list(found["shapes"], SHAPES, as_json=as_json, as_csv=as_csv, empty=empty)
