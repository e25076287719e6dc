"""`driftline classifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.cli.configured import SCALE, settings

if TYPE_CHECKING:
    from classifier.settings import ClassifierSettings


@click.command()
@click.option("--time-scale", type=SCALE, help="Divide every duration by this.")
@click.pass_context
def classifier(ctx: click.Context, time_scale: float | None) -> None:
    """Learn envelopes from what sensors send, and say which change no deploy explains.

    \b
    Example:
      driftline --config /etc/driftline/driftline.yaml classifier
    """
    from classifier.service import Service
    from console.cli.service import log_to_stderr
    from guard.audit.attendant import Attendant

    def told() -> ClassifierSettings:
        return settings(ctx).classifier(time_scale=time_scale)

    log_to_stderr()
    kept = settings(ctx).audit()
    attend = None if kept is None else lambda core, now: Attendant(core, kept, now)
    ctx.exit(Service(told(), reload=told, attend=attend).run() or 0)
