"""A finding and the events around it to a chain as plain values, with a line for each event in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from classifier.links.edges import chain_to_dict
from classifier.links.hijack import WEIGHTS, weight
from classifier.links.linker import Linker
from classifier.links.origins import signs_of
from classifier.links.reading import Act, Call, Fact, Llm, place
from wire.records import Event, Replica

BEFORE, BEHIND = 3600.0, 60.0  # seconds around a finding
LIMIT = 20_000  # events that are read of a replica, the latest
REPLICAS = 16
LINE = 120  # characters
SLACK = 1.0  # seconds by which an event may be dated before what it belongs to


class Told(Protocol):
    """Events of a replica in a span, by time; where there are more than `limit`, the last so many."""

    def __call__(self, replica: Replica, start: float, end: float, limit: int, *, latest: bool) -> Sequence[Event]: ...


def about(finding: Mapping[str, Any], told: Told, event: Callable[[str], Event | None]) -> dict[str, Any]:
    """The chain that a finding belongs to.

    Args:
        finding: As plain values.
        told: Events around it. Only the replicas of its evidence are asked about.
        event: One event by its id.
    """
    ids = [str(i) for i in finding.get("evidence") or ()]
    evidence = [e for i in ids if (e := event(i)) is not None]
    rows = finding.get("deviations") or ()
    began = min((float(d["first"]) for d in rows), default=0.0)
    first = min([e.time for e in evidence] + [float(d["first"]) for d in rows], default=0.0)
    last = max([e.time for e in evidence] + [float(d["last"]) for d in rows], default=0.0)
    gone = len(ids) - len(evidence)
    lost = [f"{gone} events of the finding are past their time"] * bool(gone)
    linker = Linker().add_all(evidence)
    replicas = list(dict.fromkeys(e.replica for e in evidence))
    for replica in replicas[:REPLICAS]:
        around = told(replica, first - BEFORE, last + BEHIND, LIMIT, latest=True)
        linker.add_all(around)
        if len(around) >= LIMIT:
            lost.append(f"of {place(replica)} only the last {LIMIT} events were read")
    if replicas[REPLICAS:]:
        lost.append(f"{len(replicas) - REPLICAS} replicas of the finding were not looked at")
    found = shown(linker, current(evidence, ids, began)) | {"finding": finding.get("id")}
    return found | {"lost": [*found["lost"], *lost]}


def current(events: Iterable[Event], ids: Iterable[str], since: float) -> list[str]:
    """Those of the ids that happened since, and those that are not known.

    A connection or a file is told once per replica, so what grew on it later rests on an event of another day: it shows what
    was used, and not who used it this time.
    """
    old = {e.id for e in events if e.time < since - SLACK}
    return [i for i in ids if i not in old]


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
