"""A moment as people write it, to seconds since the epoch. Without a zone it is UTC, as everything that is printed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

NOW = float("inf")


class Instant(click.ParamType):
    """`2026-11-17T14:32`, with seconds and a zone at will, or `now`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since the epoch; infinity for now.

        >>> Instant().convert("1970-01-02T00:00", None, None), Instant().convert("1970-01-01T02:00+02:00", None, None)
        (86400.0, 0.0)
        """
        if isinstance(value, float):
            return value
        if value == "now":
            return NOW
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is no time; write one like 2026-11-17T14:32.", param, ctx)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
