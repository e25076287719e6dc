"""Inventories as plain values for the control socket and for replays; agents that nobody has listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from classifier.classes.known import Known
from classifier.inventory.coverage import Stand, unread
from classifier.inventory.history import History, history
from classifier.inventory.items import StockItem
from classifier.inventory.kinds import KINDS
from classifier.inventory.moment import Change, changes
from classifier.inventory.stock import Stock

NAMED = 5  # items that a reason names


def recorded(known: Known, workload: str) -> History | None:
    """The history of one workload; None if it was never seen."""
    stock = known.inventories.get(workload)
    if stock is None:
        return None
    now = max([known.now, *(life.last for life in stock.lives.values())])  # an event is younger than the last tick
    return history(stock, workload, now, known.policy.day)


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


def changed(known: Known, workload: str, since: float) -> list[Change]:
    """What came and went after a time (seconds): evidence for whoever judges."""
    found = recorded(known, workload)
    return changes(found, since) if found is not None else []


def listed(known: Known) -> list[dict[str, Any]]:
    """One row per workload: how much of each kind, whether it looks like an agent, whether anybody has listed it."""
    return [_row(known, workload, known.inventories[workload]) for workload in sorted(known.inventories)]


def _row(known: Known, workload: str, stock: Stock) -> dict[str, Any]:
    reasons = signs(stock.items.values())
    pins = known.pins.kept.get(workload, {})
    registered = sorted(what for what in pins if known.pins.of(workload, what) is not None)
    names = {(i.kind, i.name) for i in stock.items.values()}
    return {
        "workload": workload,
        "state": "registered" if registered else "unregistered_agent" if reasons else "no_agent",
        "reasons": reasons,
        "registered_by": registered,
        "proposed": known.proposed(workload),
        "since": min((life.start for life in stock.lives.values()), default=None),
        "unread": unheard(stock),
        "counts": {kind: sum(k == kind for k, _ in names) for kind in KINDS},
    }


def unheard(stock: Stock) -> list[str]:
    """Processes whose words nobody knows now, in words; the first of them."""
    return [_unread(s) for s in unread(stock.stands.here.values())][:NAMED]


def _unread(stand: Stand) -> str:
    """A process whose words nobody knows, in words."""
    who = f"process {stand.pid}" if stand.pid else "the replica"
    return f"{who} ({stand.image or 'unknown'}) is {stand.rung}: {stand.reason}"


def rungs(known: Known) -> tuple[dict[str, int], dict[str, int]]:
    """Processes by rung; and of each workload where some are not read, how many."""
    here = {w: list(stock.stands.here.values()) for w, stock in sorted(known.inventories.items())}
    lost = {w: len(unread(stands)) for w, stands in here.items()}
    return dict(Counter(s.rung for stands in here.values() for s in stands)), {w: n for w, n in lost.items() if n}


def signs(items: Iterable[StockItem]) -> list[str]:
    """What makes a workload look like an agent, in words; empty: nothing does.

    A data store, a token or some packages make none, for every web service has them.
    """
    out, every = [], list(items)
    for words, kind, reach in (
        ("asks a model endpoint", "model", "remote"),
        ("loads a model", "model", ""),
        ("loads an adapter", "adapter", ""),
        ("loads an agent framework", "framework", None),
        ("has an MCP server", "mcp", None),
        ("reads skills or rules", "skill", None),
        ("offers tools to a model", "tool", None),
    ):
        found = (i for i in every if i.kind == kind and reach in (None, i.more.get("reach", "")))
        names = list(dict.fromkeys(i.name for i in found))
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            out.append(f"{words}: {', '.join(names[:NAMED])}{more}")
    return out
