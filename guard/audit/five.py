"""A model or tool call to five fields: who, why, by which right, whether it was normal, what came of it (demands D121).

Each is a text, or empty with the reason why it cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wire.records import Event

NAMES = ("identity", "intent", "authorisation", "baseline", "downstream")
MOST = 64  # records of a row, and ids downstream of one
WORDS = 200  # characters


def fields(
    events: Sequence[Event], *, workload: str, deviating: Mapping[str, str], edges: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The five fields of every model and tool call among the cited records.

    Args:
        deviating: Behaviour → why it is part of the finding.
        edges: The row's chain.
    """
    calls = [e for e in events if e.kind in ("llm", "tool", "mcp")][:MOST]
    known = {e.id: e for e in events}
    return [{"record": call.id} | _five(call, known, workload, deviating, edges) for call in calls]


def _five(
    call: Event,
    known: Mapping[str, Event],
    workload: str,
    deviating: Mapping[str, str],
    edges: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    asked = call if call.kind == "llm" else _asking(call, known, edges)
    return {
        "identity": _field(_identity(call, workload)),
        "intent": _field(_text(asked, "user_turn") if asked else "", "the call that asked for it was not captured"
                         if asked is None else "its words were not captured"),
        "authorisation": _authorisation(call, asked),
        "baseline": _field(_baseline(call, deviating)),
        "downstream": _field(" ".join(_after(call, edges)), "nothing is linked to it"),
    }  # fmt: skip


def _field(value: str, reason: str = "") -> dict[str, str | None]:
    return {"value": value, "reason": ""} if value else {"value": None, "reason": reason}


def _identity(call: Event, workload: str) -> str:
    r = call.replica
    pid = f", process {call.data['pid']}" if "pid" in call.data else ""
    return f"{workload}, replica {r.node}/{r.cgroup}/{r.generation}{pid}"


def _asking(call: Event, known: Mapping[str, Event], edges: Sequence[Mapping[str, Any]]) -> Event | None:
    """The model call that a tool call came of, over at most a server between."""
    direct = known.get(_text(call, "llm"))
    if direct is not None:
        return direct
    sources = [known[e["from"]] for e in edges if e["to"] == call.id and e["from"] in known]
    nearest = next((e for e in sources if e.kind == "llm"), None)
    return nearest or next((known[id] for e in sources if (id := _text(e, "llm")) in known), None)


def _authorisation(call: Event, asked: Event | None) -> dict[str, str | None]:
    """What gave the call its right, as far as bytes show it: that the application offered the tool."""
    if call.kind == "llm":
        return _field("", "which credential the call carried is not kept")
    name = _text(call, "name") or _text(call, "tool")
    offered = dict(word.partition("=")[::2] for word in _text(asked, "tools", 65536).split()) if asked else {}
    if name and name in offered:
        return _field(f"the application offered {name} to the model, definition {offered[name][:16] or 'unknown'}")
    return _field(
        "", "not among the tools that were offered" if offered else "which tools were offered was not captured"
    )


def _baseline(call: Event, deviating: Mapping[str, str]) -> str:
    why = deviating.get(call.behaviour or "")
    return f"part of this finding: {why}" if why else "no deviation of this finding"


def _after(call: Event, edges: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(e["to"]) for e in edges if e["from"] == call.id][:MOST]


def _text(event: Event | None, name: str, most: int = WORDS) -> str:
    return str(event.data.get(name) or "")[:most] if event is not None else ""
