"""`driftline doctor`: what this kernel gives."""

from __future__ import annotations

import click

from console.cli.configured import settings
from console.cli.output import emit_json, emit_table, json_option, say


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
    from sensor.doctor import examine

    from console.cli.records import fields_of

    report = examine(settings(ctx).sensor())
    facts = fields_of(report)
    if as_json:
        emit_json(facts)
    else:
        columns = list(facts["rows"][0]) if facts["rows"] else []
        emit_table(columns, ([row[name] for name in columns] for row in facts["rows"]))
        for name in ("verdict", "reason"):
            if facts.get(name):
                say(str(facts[name]))
    ctx.exit(int(facts.get("exit_code") or facts.get("code") or 0))
