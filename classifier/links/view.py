"""A finding and the events around it to a chain as plain values, with a line for each event in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from classifier.links.edges import chain_to_dict
from classifier.links.hijack import WEIGHTS, weight
from classifier.links.linker import Linker
from classifier.links.origins import signs_of
from classifier.links.reading import Act, Call, Fact, Llm
from wire.records import Event

BEFORE, BEHIND = 3600.0, 60.0  # seconds around a finding
LEAST = 60.0
LIMIT = 20_000  # events that are read
LINE = 120  # characters

Told = Callable[[float, float, int], Iterable[Event]]


def about(finding: Mapping[str, Any], told: Told, event: Callable[[str], Event | None]) -> dict[str, Any]:
    """The chain that a finding belongs to.

    Args:
        finding: As plain values.
        told: Events of a span, oldest first, at most so many.
        event: One event by its id.
    """
    ids = [str(i) for i in finding.get("evidence") or ()]
    evidence = [e for i in ids if (e := event(i)) is not None]
    first = min((e.time for e in evidence), default=float(finding.get("opened") or 0.0))
    last = max((e.time for e in evidence), default=first)
    before, around = BEFORE, _near(told, first - BEFORE, last + BEHIND)
    while len(around) >= LIMIT and before > LEAST:  # the oldest are told first, and the finding is at the end
        before /= 4
        around = _near(told, first - before, last + BEHIND)
    linker = Linker().add_all(around).add_all(evidence)
    found = shown(linker, ids) | {"finding": finding.get("id"), "looked_back": before}
    gone = len(ids) - len(evidence)
    return found | ({"lost": [*found["lost"], f"{gone} events of the finding are past their time"]} if gone else {})


def of_events(events: Iterable[Event], ids: Iterable[str]) -> dict[str, Any]:
    """The chain around some events of a stream."""
    return shown(Linker().add_all(events), ids)


def shown(linker: Linker, ids: Iterable[str]) -> dict[str, Any]:
    """A chain as plain values, with what each event says in a line."""
    chain = linker.chain_of(ids)
    facts = linker.graph.facts
    named = {*chain.events, *chain.trigger.nearest, *(e.source for e in chain.possible)}
    calls = [f for i in chain.events if isinstance(f := facts[i], Call) and f.kind == "tool"]
    found = {f.id: signs_of(linker.graph, f) for f in calls}
    told = {
        i: {"weight": weight(s), "signs": [n for n in WEIGHTS if getattr(s, n)]} for i, s in found.items() if weight(s)
    }
    return chain_to_dict(chain) | {"signs": told, "said": {i: _said(facts[i]) for i in sorted(named) if i in facts}}


def _near(told: Told, start: float, end: float) -> list[Event]:
    return list(told(start, end, LIMIT))


def _said(fact: Fact) -> dict[str, Any]:
    return {"time": fact.time, "kind": fact.kind, "replica": fact.replica, "pid": fact.pid, "what": _line(fact)[:LINE]}


def _line(fact: Fact) -> str:
    if isinstance(fact, Llm):
        return f"{fact.host} {'asked by' if fact.served else 'asked'}: {' '.join(fact.user_turn.split())}"
    if isinstance(fact, Call):
        return f"{fact.name}({fact.arguments})"
    if isinstance(fact, Act):
        return fact.behaviour or " ".join(fact.words) or f"pid {fact.pid}"
    return fact.kind
