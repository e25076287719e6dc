"""Conversations and lanes to rows that say what of MCP over pipes is not seen, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sensor.observe.stdio.lane import Lane
from sensor.observe.stdio.link import Link

State = Literal["both", "half", "left"]
REASONS = 4  # of one process


@dataclass(frozen=True, slots=True)
class Conversation:
    """A client and a server, or one lane that speaks something else."""

    cgroup: int
    pid: int  # the client; of a lane that was left alone, its reader. 0: not known
    peer: int  # the server; the writer
    state: State  # "both": both directions are read; "half": one is; "left": it is no JSON-RPC, and left alone for good
    reason: str  # what is missing and why; "": nothing
    transport: str  # "pipe" or "socketpair"
    since: int  # ns, CLOCK_BOOTTIME


@dataclass(frozen=True, slots=True)
class Coverage:
    """One process of which something is not seen. Its rung is no rung of the ladder of TLS: that one is told apart from this."""

    pid: int
    cgroup: int
    reason: str
    rung: str = "none"
    parts: tuple[()] = ()  # no libraries play a part


def conversations(links: Iterable[Link], left: Iterable[Lane]) -> list[Conversation]:
    """All that is known."""
    return [*(_of_link(link) for link in links), *(_of_lane(lane) for lane in left)]


def rows(known: Iterable[Conversation]) -> list[Coverage]:
    """A row for each process of which something is not seen."""
    reasons: dict[tuple[int, int], set[str]] = {}
    for c in known:
        if c.reason:
            reasons.setdefault((c.pid, c.cgroup), set()).add(f"{c.transport}: {c.reason}")
    return [Coverage(pid, cgroup, "; ".join(sorted(why)[:REASONS])) for (pid, cgroup), why in sorted(reasons.items())]


def _of_link(link: Link) -> Conversation:
    kind = _kind(next(iter(link.lanes.values())))
    if len(link.lanes) == 2:
        return Conversation(link.key.cgroup, link.client, link.server, "both", "", kind, link.key.born)
    missing = "answers" if "sent" in link.lanes else "requests"
    reason = f"the {missing} of a conversation are not seen: none came, or who reads them is not watched, or reads by io_uring"
    return Conversation(link.key.cgroup, link.client, link.server, "half", reason, kind, link.key.born)


def _of_lane(lane: Lane) -> Conversation:
    return Conversation(
        lane.cgroup, lane.reader, lane.writer, "left", f"left alone: {lane.reason}", _kind(lane), lane.born
    )


def _kind(lane: Lane) -> str:
    return "socketpair" if lane.mate else "pipe"
