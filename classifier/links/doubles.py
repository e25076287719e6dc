"""Calls that were both seen and told: the sensor read them, and the workload reported them. What was seen stands for both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from classifier.links.edges import SELF_REPORTED
from classifier.links.reading import Call, Llm, near

APART = 2.0  # seconds beyond the clocks by which an exporter may be wrong about when a call ended


def doubles(llms: Sequence[Llm], tools: Sequence[Call]) -> dict[str, str]:
    """Id of a told event → id of the one that was seen.

    Model calls are one by their response id, or by one answer to one history at one time; tool calls by their id, or
    their name and arguments, under such a model call.
    """
    seen: dict[tuple[str, str], list[Llm]] = defaultdict(list)
    for call in llms:
        if call.basis != SELF_REPORTED:
            for key in _keys(call):
                seen[key].append(call)
    found: dict[str, str] = {}
    for call in llms:
        if call.basis == SELF_REPORTED:
            twin = next((s for key in _keys(call) for s in seen.get(key, ()) if _at_once(s, call)), None)
            if twin is not None:
                found[call.id] = twin.id
    mine: dict[str, list[Call]] = defaultdict(list)
    for tool in tools:
        mine[tool.llm].append(tool)
    for tool in tools:
        if tool.llm in found:
            alike = [t for t in mine[found[tool.llm]] if _is_same(t, tool)]
            found[tool.id] = alike[0].id if alike else found[tool.llm]
    return found


def _keys(call: Llm) -> list[tuple[str, str]]:
    return [key for key in (("id", call.response_id), ("answer", call.answer_chain)) if key[1]]


def _at_once(one: Llm, other: Llm) -> bool:
    by_id = bool(one.response_id) and one.response_id == other.response_id
    return by_id or abs(one.ended - other.ended) <= APART + near(one, other)


def _is_same(one: Call, other: Call) -> bool:
    return one.call == other.call if one.call and other.call else (one.name, one.digest) == (other.name, other.digest)
