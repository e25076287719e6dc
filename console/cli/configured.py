"""What the root of the command line was told, for the commands below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from console.cli.control import Control
    from console.settings import Settings

Command = Callable[..., Any]
POSITIVE = click.FloatRange(min=0, min_open=True)
EXISTING = click.Path(exists=True, dir_okay=False)


class Asked(Protocol):
    """Whoever answers questions about workloads, envelopes, findings, deploys and events."""

    def get(self, *parts: str, **query: Any) -> Any: ...


def settings(ctx: click.Context) -> Settings:
    """Settings of --config and the environment."""
    from console.settings import load

    return load(ctx.find_root().obj)


def trace_options(command: Command) -> Command:
    """Add --trace and its policy to a command that asks the classifier."""
    for option in (
        click.option(
            "--time-scale", type=click.FloatRange(min=0, min_open=True), help="With --trace: divide durations by it."
        ),
        click.option("--policy", metavar="default|demo|FILE", help="With --trace: thresholds, as for a replay."),
        click.option(
            "--trace", type=click.Path(exists=True, dir_okay=False), help="Ask a trace instead, replayed now."
        ),
    ):
        command = option(command)
    return command


def asked(ctx: click.Context, trace: str | None, policy: str | None, time_scale: float | None) -> Asked:
    """The running classifier, or a trace that is replayed now."""
    if trace is None:
        if policy or time_scale:
            raise click.UsageError("--policy and --time-scale belong to --trace")
        return control(ctx)
    from console.cli.output import track
    from console.cli.replaying import Replayed
    from wire.trace import read

    return Replayed(track(read(trace), "replaying"), policy=policy or "default", time_scale=time_scale)


def control(ctx: click.Context) -> Control:
    """The running classifier."""
    from console.cli.control import Control

    return Control(str(settings(ctx).control_path))
