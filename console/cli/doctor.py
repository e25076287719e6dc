"""`driftline doctor`: what this kernel gives."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

import click

from console.cli.configured import settings
from console.cli.output import COLOURS, emit_json, json_option, say

WORDS = (("hook", "hook"), ("needs", "needs"), ("sees", "sees"), ("misses", "misses"), ("stand_in", "instead"))
INDENT = 20  # columns before the words of a row


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say per probe what this machine's kernel gives, what is missed, and what stands in.

    Exits with 3 if the configured mode cannot be honoured here.

    \b
    Example:
      driftline doctor --json
    """
    from console.cli.records import fields_of
    from sensor.doctor import examine

    report = fields_of(examine(settings(ctx).sensor()))
    if as_json:
        emit_json(report)
    else:
        say(f"kernel {report['kernel']}")
        for row in report["rows"]:
            print_row(row)
        click.echo()
        say(report["verdict"])
    ctx.exit(report["exit_code"])


def print_row(row: Mapping[str, Any]) -> None:
    """One probe or facility: its state, then what there is to say of it, folded to the terminal."""
    say(f"{row['state']:<9} {row['probe']}", style=COLOURS.get(row["state"], ""))
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    for key, name in WORDS:
        if row[key] and not (key == "needs" and row["state"] == "yes"):
            first = f"{'':<10}{name:<{INDENT - 10}}"
            for line in textwrap.wrap(row[key], width, initial_indent=first, subsequent_indent=" " * INDENT):
                say(line)
