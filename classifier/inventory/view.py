"""Inventories as plain values for the control socket and for replays; agents that nobody has listed."""

from __future__ import annotations

from typing import Any

import msgspec

from classifier.classes.known import Known
from classifier.inventory.history import History, history
from classifier.inventory.kinds import KINDS
from classifier.inventory.stock import Stock

NAMED = 5  # items that a reason names


def recorded(known: Known, workload: str) -> History | None:
    """The history of one workload; None if it was never seen."""
    stock = known.inventories.get(workload)
    return history(stock, workload, known.now, known.policy.day) if isinstance(stock, Stock) else None


def one(known: Known, workload: str) -> dict[str, Any] | None:
    """The same as plain values; `History` of them is made by `read`."""
    found = recorded(known, workload)
    return msgspec.to_builtins(found) if found is not None else None


def read(plain: Any) -> History:
    """The history of plain values.

    Raises:
        ValueError: They are none.
    """
    return msgspec.convert(plain, History, strict=False)


def listed(known: Known) -> list[dict[str, Any]]:
    """One row per workload: how much of each kind, whether it looks like an agent, whether anybody has listed it."""
    return [_row(known, workload) for workload in sorted(known.inventories)]


def _row(known: Known, workload: str) -> dict[str, Any]:
    found = recorded(known, workload)
    items = found.items if found is not None else ()
    reasons = signs(found) if found is not None else []
    pins = known.pins.kept.get(workload, {})
    registered = sorted(what for what in pins if known.pins.of(workload, what) is not None)
    return {
        "workload": workload,
        "state": "registered" if registered else "unregistered_agent" if reasons else "no_agent",
        "reasons": reasons,
        "registered_by": registered,
        "proposed": known.proposed(workload),
        "since": found.since if found is not None else None,
        "counts": {kind: sum(i.kind == kind for i in items) for kind in KINDS},
    }


def signs(found: History) -> list[str]:
    """What makes a workload look like an agent, in words; empty: nothing does.

    A data store, a token or some packages make none, for every web service has them.
    """
    out = []
    for words, kind, reach in (
        ("asks a model endpoint", "model", "remote"),
        ("loads a model", "model", ""),
        ("loads an adapter", "adapter", ""),
        ("loads an agent framework", "framework", None),
        ("has an MCP server", "mcp", None),
        ("reads skills or rules", "skill", None),
        ("offers tools to a model", "tool", None),
    ):
        names = [i.name for i in found.items if i.kind == kind and (reach is None or i.more.get("reach", "") == reach)]
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            out.append(f"{words}: {', '.join(names[:NAMED])}{more}")
    return out
