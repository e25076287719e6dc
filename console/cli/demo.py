"""`driftline demo`."""

from __future__ import annotations

from typing import Any

import click

from console.cli.output import json_option


@click.command()
@click.option("--replay", is_flag=True, help="Replay the recorded story even where the live one could run.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Keep the recording of the live story here.")
@json_option
@click.pass_context
def demo(ctx: click.Context, **wanted: Any) -> None:
    """Play the story of two agents, a rollout and a theft, live where root and BPF are there.

    \b
    Example:
      driftline demo
    """
    from console.demo import story

    ctx.exit(story.run(**wanted) or 0)
