"""What is known of a workload's inventory, from the classifier or a trace, and the moments that can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from console.cli.answers import rows
from console.cli.configured import asked
from console.cli.failure import Failure
from console.cli.instant import NOW, Instant
from console.cli.output import moment

if TYPE_CHECKING:
    from classifier.inventory.history import History

AT = click.option("--at", type=Instant(), default="now", show_default=True, help="As of this moment, in UTC.")


def history(ctx: click.Context, workload: str, where: dict[str, Any]) -> tuple[Any, History]:
    from classifier.inventory.view import read

    source = asked(ctx, **where)
    return source, _read(read, source.get("inventory", workload))


def history_or_nothing(ctx: click.Context, workload: str, where: dict[str, Any]) -> History:
    """The history; an empty one where the workload was never seen, for then a manifest is all there is."""
    from classifier.inventory.history import History
    from classifier.inventory.view import read

    source = asked(ctx, **where)
    listed = rows(source.get("inventory"), "inventories")
    if workload not in {row.get("workload") for row in listed}:
        return History(workload, 0.0, None, None, None)
    return _read(read, source.get("inventory", workload))


def _read(read: Callable[[Any], History], answer: Any) -> History:
    try:
        return read(answer)
    except ValueError as e:
        raise Failure(f"the classifier's answer holds no inventory: {e}", "use the same version of both") from None


def at_of(past: History, at: float) -> float:
    return past.now if at == NOW else at


@contextmanager
def explained(past: History) -> Iterator[None]:
    """A moment outside of what is known is refused with what is known instead of answered with today's."""
    from classifier.inventory.moment import OutsideError

    try:
        yield
    except OutsideError as e:
        hint = f"it is known from {moment(past.kept or past.since)} to {moment(past.now)}"
        raise Failure(f"{past.workload}: {e.args[0]}", hint) from None
