"""`driftline version`."""

from __future__ import annotations

import platform

import click

from console.cli.output import emit_json, json_option


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version of driftline, and of Python and the kernel below it.

    \b
    Example:
      driftline version --json
    """
    from importlib.metadata import version as installed

    facts = {
        "driftline": installed("driftline"),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    if as_json:
        emit_json(facts)
    else:
        for name, number in facts.items():
            click.echo(f"{name} {number}")
