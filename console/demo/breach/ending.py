"""How a run of week seven ended, held against how it must, and told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from classifier.drift.finding import RISKY
from console.cli.escape import escape
from console.cli.findings import print_list
from console.cli.output import say
from console.demo.breach import town

WAIT = 60.0  # seconds in which the label is due


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run."""

    findings: list[dict[str, Any]]
    risky: dict[str, Any]  # the first of them
    row: dict[str, Any]  # of the audit trail, about it
    ticket: str  # that was injected
    seconds: float  # from the first byte of the write to the label; below zero where the reads gave it away before
    written: int  # bytes
    reads: int  # records
    same: bool  # a replay of the recording gives the same findings
    left: str
    bundle: Path
    key: Path


def wrong(o: Outcome, *, heard: bool) -> list[str]:
    """What did not end as it must."""
    risky = [f for f in o.findings if f["label"] == RISKY]
    trigger, layers = o.row["trigger"], o.row["completeness"]
    named = o.ticket in (trigger.get("excerpt") or "")
    known = named if heard else trigger["state"] == "not_captured"
    claims = {
        f"{len(risky)} risky findings, one is wanted": len(risky) == 1,
        f"the label took {o.seconds:.1f} s": o.seconds <= WAIT,
        f"{o.reads} records were read and {o.written} bytes written": o.reads == town.CUSTOMERS and o.written > 0,
        f"the row has {layers} layers": layers == ("4/4" if heard else "2/4"),
        f"the trigger is {trigger['state']}: {trigger.get('excerpt')!r}": known,
        f"left in the kernel: {o.left}": not o.left,
        "a replay of the recording gives other findings": o.same,
    }
    return [what for what, holds in claims.items() if not holds]


def since(seconds: float) -> str:
    """When the label came, in words.

    >>> since(1.52), since(-2.0)
    ('1.5 s after the first byte of the write', '2.0 s before the first byte of the write, by what was read')
    """
    if seconds < 0:
        return f"{-seconds:.1f} s before the first byte of the write, by what was read"
    return f"{seconds:.1f} s after the first byte of the write"


def summary(o: Outcome) -> dict[str, Any]:
    """What a program wants to know of one run."""
    return {
        "findings": o.findings,
        "finding": o.risky["id"],
        "seconds_from_write_to_label": round(o.seconds, 2),
        "ticket": o.ticket,
        "records_read": o.reads,
        "bytes_written": o.written,
        "layers": o.row["completeness"],
        "trigger": o.row["trigger"],
        "replay_is_the_same": o.same,
        "bundle": str(o.bundle),
        "key": str(o.key),
    }


def tell(outcomes: dict[str, Outcome], faults: list[str], time_scale: float) -> None:
    """For people."""
    for name, o in outcomes.items():
        click.echo()
        click.echo(f"{name}: {o.bundle.parent}")
        print_list(o.findings)
        trigger = o.row["trigger"]
        excerpt = (trigger.get("excerpt") or "").split("\n")[0]
        click.echo(f"  labelled   {since(o.seconds)}")
        click.echo(f"  the row of the audit trail: {o.row['completeness']} layers, trigger {trigger['state']}")
        if excerpt:
            click.echo(f"  trigger    {escape(excerpt)}")
        for flow in o.row["acts"]["egress"]:
            click.echo(
                f"  moved      {flow['behaviour']}: {flow['bytes_in']:,} bytes in, {flow['bytes_out']:,} out ({flow['why']})"
            )
    some = next(iter(outcomes.values()))
    click.echo("\nCheck it:")
    click.echo(f"  driftline audit verify {some.bundle} --key {some.key}")
    click.echo(f"  driftline trace replay {some.bundle.parent / 'story.trace'} --time-scale {time_scale:g}")
    click.echo(f"  less {some.bundle.parent / 'row.txt'}")
    for fault in faults:
        say(f"NOT as it must: {fault}", style="red")
    say("\nThe story ended as it must." if not faults else "\nThe story did NOT end as it must.")
