"""`driftline sensor`. Loads nothing that the sensor itself does not need: its memory is bounded."""

from __future__ import annotations

from typing import Any

import click

from console.cli.configured import settings
from console.cli.privilege import need_root


@click.command()
@click.option("--scope", metavar="CGROUP", help="Observe only this cgroup and what is below it.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), help="Seconds between windows.")
@click.option("--socket", type=click.Path(), help="Socket of the classifier.")
@click.option("--name", help="Name of this instance.")
@click.option("--unload", is_flag=True, help="Take this instance's programs and maps out of the kernel, then exit.")
@click.pass_context
def sensor(ctx: click.Context, unload: bool, **wanted: Any) -> None:
    """Observe workloads in the kernel and send what they do to the classifier.

    \b
    Example:
      driftline sensor --scope /system.slice/agent.service --interval 5
    """
    need_root("taking programs out of the kernel" if unload else "observing the kernel")
    chosen = settings(ctx).sensor(**wanted)
    if unload:
        from sensor.probes.client import unload as take_out

        take_out(chosen)
        return
    from sensor.agent import Agent

    ctx.exit(Agent(chosen).run() or 0)
