"""Two tellings of a model call: whether they are of one call, and where they contradict each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

ID, TRACE, SAME, TIME = "id", "trace", "time and model", "time"
METHODS = (ID, TRACE, SAME, TIME)  # the surest first
SLACK = 1.0  # seconds between two clocks of one machine and two ideas of where a call begins
TRACEPARENT = 55  # characters

Data = Mapping[str, str | int | float]


def method(a: Data, b: Data) -> str | None:
    """How two tellings are known to be of one call; None: they are not.

    >>> method({"response_id": "r1"}, {"response_id": "r1"})
    'id'
    """
    if a.get("response_id") and b.get("response_id"):
        return ID if a["response_id"] == b["response_id"] else None
    if not _overlap(a, b):
        return None
    one, other = _trace(a), _trace(b)
    if one and other:
        return TRACE if one == other else None
    return SAME if model(a.get("model_asked")) == model(b.get("model_asked")) else TIME


def differences(told: Data, seen: Data) -> Iterator[tuple[str, str, str]]:
    """What was told otherwise than it was seen: field, as told, as seen. What one of them does not say is no difference."""
    for name, plain in (("model_asked", model), ("model_answered", model), ("host", host)):
        a, b = plain(told.get(name)), plain(seen.get(name))
        if a and b and a != b:
            yield name, a, b
    if "answer" in told and "answer" in seen:
        a, b = tools(told), tools(seen)
        if a != b:
            yield "tools", " ".join(a) or "none", " ".join(b) or "none"


def model(name: object) -> str:
    """A model's name without what a gateway puts before it.

    >>> model("openai/GPT-5"), model("models/gemini-3")
    ('gpt-5', 'gemini-3')
    """
    return str(name or "").rpartition("/")[2].lower()


def host(address: object) -> str:
    """A host without its port.

    >>> host("API.example.org:443"), host("::1")
    ('api.example.org', '::1')
    """
    text = str(address or "").lower()
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def tools(data: Data) -> list[str]:
    """Names of the tools that an answer asks for."""
    try:
        rows = json.loads(str(data.get("calls") or "[]"))
    except (ValueError, RecursionError):
        return []
    return sorted(str(row.get("name", "")) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else []


def _trace(data: Data) -> str:
    parent = str(data.get("traceparent", ""))
    return parent[3:35] if len(parent) == TRACEPARENT else ""


def _overlap(a: Data, b: Data) -> bool:
    """Whether one of two calls holds the other in time."""
    try:
        (s1, e1), (s2, e2) = ((float(d["began"]), float(d["ended"])) for d in (a, b))
    except (KeyError, ValueError):
        return False
    return (s1 - SLACK <= s2 and e2 <= e1 + SLACK) or (s2 - SLACK <= s1 and e1 <= e2 + SLACK)
