"""`driftline demo`."""

from __future__ import annotations

import click

from console.cli.configured import Output
from console.cli.output import json_option


@click.command()
@click.option("--replay", is_flag=True, help="Replay the recorded story even where the live one could run.")
@click.option(
    "-o", "--output", type=click.Path(), help="Keep the recording of the live story here; with --breach, a folder."
)
@click.option(
    "--breach", is_flag=True, help="Play week seven instead: six weeks of a support agent, then an injected ticket."
)
@json_option
@click.pass_context
def demo(ctx: click.Context, breach: bool, replay: bool, output: str | None, as_json: bool) -> None:
    """Play the story of two agents, a rollout and a theft, live where root and BPF are there.

    With --breach it is the story of week seven, with the words of the agent and then without: a real agent, real tools over
    MCP, real TLS, a model that is played. It needs root, BPF and the package `mcp`, and takes six minutes.

    \b
    Example:
      driftline demo --breach -o build/breach
    """
    from console.demo import story
    from console.demo.breach import story as week_seven

    if breach:
        if replay:
            raise click.UsageError("--breach is live only; replay what it leaves with driftline trace replay")
        ctx.exit(week_seven.run(output=output, as_json=as_json))
    if output:
        output = Output().convert(output, None, ctx)
    ctx.exit(story.run(replay=replay, output=output, as_json=as_json) or 0)
