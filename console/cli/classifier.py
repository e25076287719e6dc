"""`driftline classifier`."""

from __future__ import annotations

import click

from console.cli.configured import settings


@click.command()
@click.option("--time-scale", type=click.FloatRange(min=0, min_open=True), help="Divide every duration by this.")
@click.pass_context
def classifier(ctx: click.Context, time_scale: float | None) -> None:
    """Learn envelopes from what sensors send, and say which change no deploy explains.

    \b
    Example:
      driftline --config /etc/driftline/driftline.yaml classifier
    """
    from classifier.service import Service
    from console.cli.service import log_to_stderr

    log_to_stderr()
    ctx.exit(Service(settings(ctx).classifier(time_scale=time_scale)).run() or 0)
