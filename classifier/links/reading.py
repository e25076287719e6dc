"""Events to facts: the fields that links are made of, with types checked and sizes bounded, whoever wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifier.envelope.state import stored
from classifier.links.edges import INFERRED, SELF_REPORTED, VERIFIED
from wire.records import Event, Replica

SHORT, LONG = 256, 2048  # characters of a name, of an excerpt
RESULT = 512
HISTORY, RESULTS = 48, 64  # entries that are read
LATE = 0.25  # seconds: what is told by others has their clocks
NEAR = 0.005  # seconds, between two buffers of one node
PROCESS = ("exec", "fork", "exit")
NETWORK = ("egress", "ingress", "dns", "tls")
ACTS = ("exec", "open", "identity", "syscall", "io_uring", "egress", "tls", "dns")


@stored
@dataclass(frozen=True, slots=True)
class Fact:
    """What every event has. Times in seconds, event time."""

    id: str
    kind: str
    time: float
    node: str
    replica: str  # "node/cgroup/generation"
    pid: int = 0  # 0: not known
    basis: str = VERIFIED
    error: float = NEAR  # seconds, of its times
    lineage: str = ""


@stored
@dataclass(frozen=True, slots=True)
class Result:
    """A tool's result as a request gave it to the model."""

    id: str
    name: str
    text: str
    length: int
    digest: str


@stored
@dataclass(frozen=True, slots=True)
class Llm(Fact):
    """A call of a model."""

    began: float = 0.0
    answered: float = 0.0  # first byte of the answer; `ended` where that is not known
    ended: float = 0.0
    served: bool = False  # this workload is the server, not the client
    answers: tuple[tuple[str, str], ...] = ()  # digest and chain of the assistant's turns in the request, newest first
    asked: str = ""  # chain of the whole request
    answer: str = ""
    answer_chain: str = ""
    user_turn: str = ""
    user_digest: str = ""
    user_cut: bool = False
    results: tuple[Result, ...] = ()
    calls: tuple[tuple[str, str, str], ...] = ()  # id, name, digest of arguments; as the answer asked
    system: str = ""
    host: str = ""
    response_id: str = ""
    continues: str = ""
    trace: str = ""
    partial: str = ""


@stored
@dataclass(frozen=True, slots=True)
class Call(Fact):
    """A tool call that a model asked for, or an MCP request."""

    began: float = 0.0
    ended: float = 0.0  # of a tool call: when it was asked for; of MCP: when the answer was whole
    name: str = ""
    call: str = ""  # its id, as the other side knows it
    arguments: str = ""
    digest: str = ""  # of the canonical arguments
    cut: bool = False
    index: int = 0
    llm: str = ""  # event that asked
    sent: bool = True  # by the observed process
    method: str = ""  # of MCP
    peer: int = 0
    host: str = ""
    server: str = ""
    result: str = ""  # digest
    result_text: str = ""
    result_cut: bool = False
    trace: str = ""
    partial: str = ""


@stored
@dataclass(frozen=True, slots=True)
class Act(Fact):
    """What a process did, as the kernel saw it."""

    parent: int = 0
    behaviour: str = ""
    words: tuple[str, ...] = ()  # host, address, path, arguments of a command
    image: str = ""
    port: int = 0
    trace: str = ""


def read(event: Event) -> Fact | None:
    """The fact of an event; None where it has no part in links.

    >>> read(Event("n/e/1", 1.0, Replica("n", 1), "fork", None, {"pid": 7, "ppid": 3})).parent
    3
    """
    if event.kind == "llm":
        return _llm(event)
    if event.kind in ("tool", "mcp"):
        return _call(event)
    if event.kind in ACTS or event.kind in PROCESS or event.kind in NETWORK:
        return _act(event)
    if event.kind == "coverage":
        return Fact(**_common(event))
    return None


def place(replica: Replica) -> str:
    """A replica in one word."""
    return f"{replica.node}/{replica.cgroup}/{replica.generation}"


def near(one: Fact, other: Fact) -> float:
    """Seconds by which the times of two facts may be wrong against each other."""
    return max(one.error, other.error) if one.node == other.node else max(one.error, other.error, LATE)


def _common(event: Event) -> dict[str, Any]:
    data = event.data
    own = data.get("source") in ("otlp", "http") or data.get("basis") == SELF_REPORTED
    basis = data.get("basis")
    return {
        **{"id": event.id[:SHORT], "kind": event.kind, "time": event.time, "node": event.replica.node},
        **{"replica": place(event.replica), "pid": number(data, "pid"), "lineage": text(data, "lineage")},
        **{
            "basis": basis if basis in (VERIFIED, INFERRED, SELF_REPORTED) else VERIFIED,
            "error": LATE if own else NEAR,
        },
    }


def _llm(event: Event) -> Llm:
    data = event.data
    history = [h for h in rows(data, "history", HISTORY) if isinstance(h, list) and len(h) == 3]
    turns = [tuple(str(part)[:64] for part in h) for h in history]
    user = text(data, "user_turn", LONG)
    return Llm(
        **_common(event),
        began=seconds(data, "began", event.time),
        answered=seconds(data, "answered", event.time),
        ended=seconds(data, "ended", event.time),
        served=data.get("role") == "server",
        answers=tuple((digest, chain) for role, digest, chain in reversed(turns) if role == "assistant"),
        asked=turns[-1][2] if turns else "",
        **{name: text(data, name) for name in ("answer", "answer_chain", "system", "host", "response_id", "continues")},
        user_turn=user,
        user_digest=text(data, "user_turn_digest"),
        user_cut=_is_cut(user, number(data, "user_turn_length")),
        results=tuple(_result(r) for r in rows(data, "results", RESULTS) if isinstance(r, dict)),
        calls=tuple(_wanted(c) for c in rows(data, "calls", RESULTS) if isinstance(c, dict)),
        trace=text(data, "traceparent"),
        partial=text(data, "partial"),
    )


def _result(row: dict[str, Any]) -> Result:
    id_, name, digest = (str(row.get(k) or "")[:SHORT] for k in ("id", "name", "digest"))
    return Result(id_, name, str(row.get("text") or "")[:RESULT], number(row, "length"), digest)


def _wanted(row: dict[str, Any]) -> tuple[str, str, str]:
    return tuple(str(row.get(k) or "")[:SHORT] for k in ("id", "name", "digest"))  # type: ignore[return-value]


def _call(event: Event) -> Call:
    data = event.data
    arguments, result = text(data, "arguments", LONG), text(data, "result", LONG)
    return Call(
        **_common(event),
        began=seconds(data, "began", event.time),
        ended=seconds(data, "ended", event.time),
        name=text(data, "tool" if event.kind == "mcp" else "name"),
        call=text(data, "id"),
        arguments=arguments,
        digest=text(data, "arguments_digest"),
        cut=_is_cut(arguments, number(data, "arguments_length")),
        index=number(data, "index"),
        sent=data.get("by") != "received",
        peer=number(data, "peer"),
        result=text(data, "result_digest"),
        result_text=result,
        result_cut=_is_cut(result, number(data, "result_length")),
        trace=text(data, "traceparent"),
        **{name: text(data, name) for name in ("llm", "method", "host", "server", "partial")},
    )


def _act(event: Event) -> Act:
    data = event.data
    names = [text(data, k, LONG) for k in ("path", "name", "address", "argv", "names")]
    return Act(
        **_common(event),
        parent=number(data, "ppid"),
        behaviour=(event.behaviour or "")[:SHORT],
        words=tuple(n for n in names if n),
        image=text(data, "image") or text(data, "path"),
        port=number(data, "port"),
        trace=text(data, "traceparent"),
    )


def _is_cut(excerpt: str, length: int) -> bool:
    """Whether an excerpt is less than its original: by the told length, else by having the size of the limit."""
    size = len(excerpt.encode("utf-8", "replace"))
    return size < length if length else size >= LONG - 8


# hostile values -----------------------------------------------------------------------------------------------------


def text(data: Mapping[str, Any], name: str, most: int = SHORT) -> str:
    """A field as text of bounded length; "" where it is none."""
    value = data.get(name, "")
    return value[:most] if isinstance(value, str) else ""


def number(data: Mapping[str, Any], name: str) -> int:
    """A field as a whole number; 0 where it is none."""
    value = data.get(name, 0)
    return int(value) if isinstance(value, int | float) and abs(value) < 1 << 53 else 0


def seconds(data: Mapping[str, Any], name: str, otherwise: float) -> float:
    """A field as a time."""
    value = data.get(name)
    return float(value) if isinstance(value, int | float) and 0 < value < 1 << 40 else otherwise


def rows(data: Mapping[str, Any], name: str, most: int) -> list[Any]:
    """A field that holds a JSON list: its last entries; none where it holds no list."""
    try:
        found = json.loads(text(data, name, 64 << 10) or "[]")
    except (ValueError, RecursionError):
        return []
    return found[-most:] if isinstance(found, list) else []
