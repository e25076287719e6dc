"""Tool calls to MCP calls, by what stands in both; MCP calls to the process of their server."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from classifier.links.conversations import MANY, Conversations
from classifier.links.edges import (
    BRACKET,
    DIGEST,
    INFERRED,
    LINEAGE,
    ORDER,
    PIPE,
    RUNS,
    SERVES,
    TRACE,
    VERIFIED,
    Edge,
    weakest,
)
from classifier.links.lives import Key, Lives
from classifier.links.reading import LATE, Act, Call, near

CALL = "tools/call"
LOOKED = 256  # calls of one name that an MCP call is held against, the newest
JOINTS = ("__", ".", "/", ":", "-", "_")  # between a server's name and its tool's, as clients put it


@dataclass(frozen=True, slots=True)
class Span:
    """While a call ran. Open: nothing said when it was over."""

    call: Call
    start: float  # seconds
    end: float  # seconds
    process: Key | None  # that runs it
    is_open: bool = False
    elsewhere: bool = False  # a server ran it, in a process of its own
    ghost: bool = False  # it was asked for, but its own event was lost: `call` has the id of the model call

    def holds(self, time: float, error: float) -> bool:
        """Whether a moment lies in it."""
        return self.start - error <= time <= self.end + error


class Tools:
    """MCP calls by the tool calls that they run, and while which span each call ran."""

    def __init__(self, talk: Conversations, mcps: Iterable[Call], lives: Lives) -> None:
        self.talk, self.lives, self.edges = talk, lives, list[Edge]()
        self.mcps = {m.id: m for m in sorted(mcps, key=lambda m: (m.began, m.id)) if m.method in (CALL, "")}
        self.run_by: dict[str, list[Call]] = {}  # tool call → MCP calls
        self._by_name: dict[str, tuple[list[float], list[Call]]] = {}
        for tool in sorted(talk.tools.values(), key=lambda t: (talk.bracket(t)[0], t.index, t.id)):
            for name in _names(tool.name):
                starts, tools = self._by_name.setdefault(name, ([], []))
                starts.append(talk.bracket(tool)[0])
                tools.append(tool)
        taken: dict[str, dict[str, Call]] = {"sent": {}, "received": {}}
        for mcp in self.mcps.values():
            self._run(mcp, taken["sent" if mcp.sent else "received"])
            self._serve(mcp)
        self.spans = [self._span(t) for t in talk.tools.values()] + [_of_mcp(m) for m in self.mcps.values()]
        self.spans += [self._span(t, ghost=True) for t in talk.ghosts()]

    # tool → MCP -----------------------------------------------------------------------------------------------------------

    def _run(self, mcp: Call, taken: dict[str, Call]) -> None:
        found = self._under_way(mcp)
        equal = [t for t in found if t.digest and t.digest == mcp.digest]
        by = [DIGEST, BRACKET] if equal else [BRACKET]
        if mcp.digest and not equal:  # a call whose own arguments are not whole may still be it
            found = [t for t in found if not t.digest or t.partial]
        found, by = self._narrowed(mcp, equal or found, by)
        found = self._not_done(found, taken)
        if not found:
            return
        tool = next((t for t in found if t.id not in taken), found[0])
        others = [t for t in found if t is not tool]
        taken[tool.id] = mcp
        basis = weakest(tool.basis, mcp.basis, VERIFIED if DIGEST in by and not others else INFERRED)
        words = f"{mcp.name}, equal arguments" if DIGEST in by else f"{mcp.name}; arguments could not be compared"
        if others:
            by, words = [*by, ORDER], f"{words}; {len(found)} calls were under way, the first not yet taken stands"
        self.run_by.setdefault(tool.id, []).append(mcp)
        alike = tuple(sorted(t.id for t in others))[:MANY]
        self.edges.append(Edge(tool.id, mcp.id, RUNS, "+".join(by), basis, alike, words, near(tool, mcp)))

    def _under_way(self, mcp: Call) -> list[Call]:
        """Calls of this name that were asked for before and whose result was not yet given back; the newest, in order."""
        starts, tools = self._by_name.get(mcp.name, ([], []))
        found: list[Call] = []
        for tool in reversed(tools[: bisect_right(starts, mcp.began + LATE)][-LOOKED:]):
            start, end, _ = self.talk.bracket(tool)
            error = near(tool, mcp)
            if start - error <= mcp.began <= end + error and (not mcp.sent or tool.replica == mcp.replica):
                found.append(tool)
        return found[::-1]

    def _not_done(self, found: list[Call], taken: dict[str, Call]) -> list[Call]:
        """Without calls that nothing ended, but that ran before another of them was even asked for."""
        last = max((self.talk.bracket(t)[0] for t in found), default=0.0)
        done = {t.id for t in found if t.id in taken and self.talk.bracket(t)[2] and taken[t.id].ended < last}
        return [t for t in found if t.id not in done]

    def _narrowed(self, mcp: Call, found: list[Call], by: list[str]) -> tuple[list[Call], list[str]]:
        """Of several, those of one trace and of the process that asked."""
        if mcp.trace:
            mine = [
                t for t in found if (a := self.talk.asker(t)) is not None and trace_id(a.trace) == trace_id(mcp.trace)
            ]
            found, by = (mine, [TRACE, *by]) if mine else (found, by)
        caller = mcp.pid if mcp.sent else mcp.peer
        mine = [t for t in found if t.pid and self._is_of(mcp, caller, t)]
        return (mine, [*by, LINEAGE]) if mine else ([t for t in found if not (t.pid and caller)], by)

    def _is_of(self, mcp: Call, caller: int, tool: Call) -> bool:
        key = mcp.node, tool.pid
        return bool(caller) and self.lives.owner((mcp.node, caller), mcp.began, {key})[0] == key

    # MCP → process --------------------------------------------------------------------------------------------------------

    def _serve(self, mcp: Call) -> None:
        server = server_of(mcp)
        life = self.lives.at(server, mcp.began) if server else None
        started = [e for e in life.execs if e.time <= mcp.began + near(e, mcp)] if life else []
        if started:
            exec_: Act = started[-1]
            words = (
                f"process {exec_.pid} has the other end of the pipe" if mcp.sent else f"process {exec_.pid} was asked"
            )
            self.edges.append(Edge(mcp.id, exec_.id, SERVES, PIPE, weakest(mcp.basis, exec_.basis), why=words))

    # spans ----------------------------------------------------------------------------------------------------------------

    def _span(self, tool: Call, *, ghost: bool = False) -> Span:
        start, end, is_open = self.talk.bracket(tool)
        process = (tool.node, tool.pid) if tool.pid else None
        return Span(tool, start, end, process, is_open, not ghost and tool.id in self.run_by, ghost)


def server_of(mcp: Call) -> Key | None:
    """The process that an MCP call runs in, where the capture knows it."""
    pid = mcp.peer if mcp.sent else mcp.pid
    return (mcp.node, pid) if pid else None


def _of_mcp(mcp: Call) -> Span:
    return Span(mcp, mcp.began, max(mcp.ended, mcp.began), server_of(mcp))


def trace_id(traceparent: str) -> str:
    """The trace of a W3C traceparent; "" where it is none.

    >>> trace_id("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    '0af7651916cd43dd8448eb211c80319c'
    """
    parts = traceparent.split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 and parts[1].strip("0") else ""


def _names(name: str) -> list[str]:
    """A tool's name as its server may know it: `mcp__files__read_file` is `read_file` of `files`."""
    found = {name}
    for joint in JOINTS:
        parts = name.split(joint)
        found |= {joint.join(parts[n:]) for n in range(1, min(len(parts), 4))}
    return [n for n in found if n]
