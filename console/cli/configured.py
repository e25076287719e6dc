"""What the root of the command line was told, for the commands below it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from console.cli.output import json_option, list_options

if TYPE_CHECKING:
    from console.cli.control import Control
    from console.settings import Settings
    from wire.records import Record

Command = Callable[..., Any]


class Number(click.FloatRange):
    """A number within bounds; click lets NaN and infinity through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number of a text."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


class Output(click.Path):
    """A file to write. Writers put a whole file in the place of the old one, which must not happen to a device."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of a text."""
        path = super().convert(value, param, ctx)
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):  # said now, and not after minutes of work
            self.fail(f"there is no folder {folder}; make it, or choose another place.", param, ctx)
        if os.path.exists(path) and not os.path.isfile(path):
            self.fail(f"{path} is a device or a pipe; name a file.", param, ctx)
        return path


def folder(path: str | Path) -> Path:
    """A folder to write into, made now and not after minutes of work.

    Raises:
        Failure: It cannot be made.
    """
    from console.cli.failure import Failure

    made = Path(path)
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Failure(f"cannot make the folder {made}: {e.strerror}", "choose another place") from e
    return made


SCALE = Number(1e-3, 1e6)  # as classifier.time_scale
SECONDS = Number(0.1, 3600)  # as sensor.interval
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
        click.option("--salvage", is_flag=True, help="With --trace: read a damaged one up to the damage."),
        click.option("--time-scale", type=SCALE, help="With --trace: divide durations by it."),
        click.option("--policy", metavar="default|demo|FILE", help="With --trace: thresholds, as for a replay."),
        click.option(
            "--trace", type=click.Path(exists=True, dir_okay=False), help="Ask a trace instead, replayed now."
        ),
    ):
        command = option(command)
    return command


def asking(command: Command) -> Command:
    """What a command has that asks about one thing: the context, --trace with its policy, --json."""
    return trace_options(json_option(click.pass_context(command)))


def asking_for_many(command: Command) -> Command:
    """What a command has that lists answers: the context, --trace with its policy, --json and --csv."""
    return trace_options(list_options(click.pass_context(command)))


def asked(
    ctx: click.Context, trace: str | None, policy: str | None, time_scale: float | None, salvage: bool = False
) -> Asked:
    """The running classifier, or a trace that is replayed now."""
    if trace is None:
        refuse_of_trace(policy, time_scale, salvage)
        return control(ctx)
    from console.cli.replaying import Replayed

    records = traced(trace, salvage=salvage)
    return Replayed(records, policy=policy or "default", time_scale=time_scale)


def refuse_of_trace(*given: Any) -> None:
    """What belongs to a trace is a mistake without one."""
    if any(given):
        raise click.UsageError("--policy, --time-scale and --salvage belong to --trace")


def traced(file: str, *, salvage: bool) -> Iterator[Record]:
    """The records of a trace, with a bar; what salvage had to leave out is said on stderr."""
    from console.cli.output import note, track
    from wire.trace import read

    reader = read(file, salvage=salvage)
    yield from track(reader, "replaying")
    if reader.damage.regions:
        note(f"{file}: {'; '.join(map(str, reader.damage.places))}")


def tell_trouble(source: Asked) -> None:
    """A note on stderr where the classifier says that a part of it does not work: its answers may be old then."""
    from console.cli.control import Control
    from console.cli.failure import Failure
    from console.cli.output import note

    if not isinstance(source, Control):  # a trace has no troubles
        return
    try:
        health = source.get("health")
    except Failure:  # it has just answered the question that mattered
        return
    troubles = health.get("troubles") if isinstance(health, dict) else None
    for part, reason in sorted(troubles.items()) if isinstance(troubles, dict) else ():
        note(f"the classifier's {part} does not work now: {reason}")


def control(ctx: click.Context) -> Control:
    """The running classifier."""
    from console.cli.control import Control

    return Control(str(settings(ctx).control_path))
