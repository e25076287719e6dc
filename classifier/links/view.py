"""A finding and the events around it to a chain as plain values, with a line for each event in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from classifier.links.edges import Chain, chain_to_dict
from classifier.links.hijack import WEIGHTS, weight
from classifier.links.linker import Linker
from classifier.links.origins import signs_of
from classifier.links.reach import Finding, Ran, Reach, Told
from classifier.links.reading import Act, Call, Fact, Llm
from classifier.links.road import Road, road
from wire.records import Event

LINE = 120  # characters


def about(finding: Finding, told: Told, event: Callable[[str], Event | None], ran: Ran | None = None) -> dict[str, Any]:
    """The chain that a finding belongs to, and how sure its trigger is; see `classifier.links.road`."""
    found, reach = road(finding, told, event, ran)
    values = _plain(reach.linker, found.chain, found.also)
    values["trigger"] |= trigger(found)
    return values | {"finding": finding.get("id"), "looked": looked(reach), "lost": [*values["lost"], *reach.lost]}


def trigger(found: Road) -> dict[str, Any]:
    """How the trigger of a finding is known, as plain values."""
    told = found.chain.trigger
    return {
        "state": found.state,
        "by": found.by,
        "why": "; ".join(dict.fromkeys(w for w in (told.why, found.why) if w)),
        "possible": list(found.possible or told.nearest),
        "also": list(found.also),
    }


def looked(reach: Reach) -> dict[str, Any]:
    """How far was looked, as plain values."""
    return {"from": reach.start, "until": reach.end, "events": len(reach.events), "replicas": len(reach.replicas),
            "why": reach.why}  # fmt: skip


def of_events(events: Iterable[Event], ids: Iterable[str]) -> dict[str, Any]:
    """The chain around some events of a stream."""
    return shown(Linker().add_all(events), ids)


def shown(linker: Linker, ids: Iterable[str]) -> dict[str, Any]:
    """A chain as plain values, with what each event says in a line."""
    return _plain(linker, linker.chain_of(ids))


def _plain(linker: Linker, chain: Chain, also: Iterable[str] = ()) -> dict[str, Any]:
    facts = linker.graph.facts
    named = {*also, *chain.events, *chain.trigger.nearest, chain.trigger.event, *(e.source for e in chain.possible)}
    calls = [f for i in chain.events if isinstance(f := facts[i], Call) and f.kind == "tool"]
    found = {f.id: signs_of(linker.graph, f) for f in calls}
    told = {
        i: {"weight": weight(s), "signs": [n for n in WEIGHTS if getattr(s, n)]} for i, s in found.items() if weight(s)
    }
    return chain_to_dict(chain) | {"signs": told, "said": {i: _said(facts[i]) for i in sorted(named) if i in facts}}


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
