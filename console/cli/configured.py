"""What the root of the command line was told, for the commands below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.cli.control import Control
    from console.settings import Settings


def settings(ctx: click.Context) -> Settings:
    """Settings of --config and the environment."""
    from console.settings import load

    return load(ctx.find_root().obj)


def control(ctx: click.Context) -> Control:
    """The running classifier."""
    from console.cli.control import Control

    chosen = settings(ctx)
    return Control(chosen["classifier.control"] or f"{chosen['run_dir']}/control.sock")
