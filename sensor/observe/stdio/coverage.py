"""Conversations and lanes to rows that say what of MCP over pipes is seen, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sensor.observe.stdio.lane import Lane
from sensor.observe.stdio.link import Link

Rung = Literal["both", "half", "left"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One conversation, or one lane that speaks something else."""

    cgroup: int
    pid: int  # the client; of a lane that was left alone, its reader. 0: not known
    peer: int  # the server; the writer
    rung: Rung  # "both": both directions are read; "half": one is; "left": it is no JSON-RPC, and left alone for good
    reason: str  # why not higher; "": it is the highest
    transport: str  # "pipe" or "socketpair"


def rows(links: Iterable[Link], left: Iterable[Lane]) -> list[Coverage]:
    """All that is to be said."""
    return [*(_of_link(link) for link in links), *(_of_lane(lane) for lane in left)]


def _of_link(link: Link) -> Coverage:
    kind = _kind(next(iter(link.lanes.values())))
    if len(link.lanes) == 2:
        return Coverage(link.key.cgroup, link.client, link.server, "both", "", kind)
    missing = "answers" if "sent" in link.lanes else "requests"
    reason = (
        f"its {missing} were not seen: they have not come yet, or who reads them is not watched, or reads by io_uring"
    )
    return Coverage(link.key.cgroup, link.client, link.server, "half", reason, kind)


def _of_lane(lane: Lane) -> Coverage:
    return Coverage(lane.cgroup, lane.reader, lane.writer, "left", lane.reason, _kind(lane))


def _kind(lane: Lane) -> str:
    return "socketpair" if lane.mate else "pipe"
