"""A finding with what is known around it to the content of one row: everything in it, so that no second question is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from classifier.links.reach import Finding, Reach
from classifier.links.road import Road
from guard.audit import chain as links
from guard.audit import five
from guard.audit.canon import digest
from guard.audit.layers import Probes, Rungs, completeness, layers
from wire import codec
from wire.records import Event

RECORDS = 256  # that a row cites
BYTES = 2 << 20  # of these
LISTED = 64  # of any list that grows
NAMED = 16  # tools, programs
WORDS = 200  # characters of arguments


def account(
    finding: Finding,
    road: Road,
    reach: Reach,
    *,
    situation: Mapping[str, Any],
    responses: Sequence[Mapping[str, Any]],
    probes: Probes,
    rungs: Rungs,
) -> tuple[dict[str, Any], list[Event]]:
    """The content of a row and the events it cites.

    Args:
        road: What set it off.
        reach: Its evidence as far as it is still kept, and what its replicas did around it.
        situation: What held for the workload.
        responses: What people decided, oldest first.
    """
    wanted = list(finding["evidence"])
    cited, cut = _cited(reach.events, (*wanted, road.chain.trigger.event, *road.chain.events))
    behaviours = [d["behaviour"] for d in finding["deviations"]]
    found = layers(cited, behaviours, road.chain, probes=probes, rungs=rungs)
    known = {event.id for event in cited}
    chain = links.plain(road, reach)
    deviating = {d["behaviour"]: d["why"] for d in finding["deviations"]}
    return {
        "finding": _trimmed(finding),
        "layers": found,
        "completeness": completeness(found),
        "trigger": links.trigger(road),
        "chain": chain,
        "calls": five.fields(cited, workload=finding["workload"], deviating=deviating, edges=chain["edges"]),
        "ordering": links.ordering(road),
        "acts": _acts(finding, cited),
        "redaction_policy": _redaction(cited),
        "context": _context(finding, situation),
        "response": [dict(r) for r in responses[-LISTED:]],
        "response_state": "answered" if responses else "none yet",
        "records": [_named(event) for event in cited],
        "records_missing": [id for id in wanted if id not in known][:LISTED],
        "records_cut": cut,
    }, cited


def _cited(known: Mapping[str, Event], ids: Iterable[str]) -> tuple[list[Event], int]:
    """The events of these ids by time, within the bounds of a row, and how many found no room."""
    wanted = [known[id] for id in dict.fromkeys(ids) if id in known]
    out, size = [], 0
    for event in wanted[:RECORDS]:
        size += len(codec.encode(event))
        if size > BYTES:
            break
        out.append(event)
    return sorted(out, key=lambda e: (e.time, e.id)), len(wanted) - len(out)


def _named(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "time": event.time,
        "kind": event.kind,
        "behaviour": event.behaviour or "",
        "basis": str(event.data.get("basis") or "verified"),
        "source": str(event.data.get("source") or "kernel"),
        "replica": f"{event.replica.node}/{event.replica.cgroup}/{event.replica.generation}",
        "digest": digest(codec.encode(event)),
        "words": _words(event),
    }


def _words(event: Event) -> str:
    """A record in one line."""
    names = ("path", "argv", "host", "address", "port", "name", "tool", "method", "model_asked", "rung", "reason",
             "user_turn", "arguments", "result")  # fmt: skip
    told = [f"{name}={str(event.data[name])[:WORDS]}" for name in names if event.data.get(name) not in (None, "")]
    return " ".join(told)[: 3 * WORDS]


def _trimmed(finding: Finding) -> dict[str, Any]:
    """The finding whole, with bounds on the lists that time makes longer."""
    long = {name: finding[name] for name in ("history", "considered", "terms", "deviations", "evidence", "revisions")}
    cut = {name: len(rows) - LISTED for name, rows in long.items() if len(rows) > LISTED}
    kept = {name: rows[-LISTED:] if name == "history" else rows[:LISTED] for name, rows in long.items()}
    return {**finding, **kept, "not_listed": cut}


def _context(finding: Finding, situation: Mapping[str, Any]) -> dict[str, Any]:
    versions = dict(situation.get("versions") or {})
    posterior = finding.get("posterior") or {}
    versions["weights"] = posterior.get("weights") or "unknown"
    versions["revision"] = ", ".join(finding.get("revisions") or ()) or versions.get("revision", "unknown")
    return {**situation, "versions": versions}


def _redaction(cited: Sequence[Event]) -> str:
    """Versions of the policies by which the words in the cited events were redacted."""
    found = sorted({str(e.data["redaction"]) for e in cited if e.data.get("redaction")})
    return ", ".join(found) or "none: no words are cited"


def _acts(finding: Finding, cited: Sequence[Event]) -> dict[str, Any]:
    """What was done, in numbers: what left, what came in, by which program, through which tools."""
    rows = finding["deviations"]
    return {
        "egress": [_moved(d) for d in rows if d["behaviour"].startswith("egress:")][:LISTED],
        "other": [_moved(d) for d in rows if not d["behaviour"].startswith("egress:")][:LISTED],
        "bytes_out": sum(d["bytes_out"] for d in rows),
        "bytes_in": sum(d["bytes_in"] for d in rows),
        "processes": list(dict.fromkeys(d["lineage"] for d in rows if d["lineage"]))[:NAMED],
        "tools": _tools([e for e in cited if e.kind in ("tool", "mcp")]),
        "model_calls": _models([e for e in cited if e.kind == "llm"]),
    }


def _moved(d: Mapping[str, Any]) -> dict[str, Any]:
    names = ("behaviour", "why", "count", "bytes_out", "bytes_in", "first", "last", "replicas", "lineage", "technique")
    return {name: d[name] for name in names}


def _tools(events: Sequence[Event]) -> list[dict[str, Any]]:
    by_name: dict[str, list[Event]] = {}
    for event in events:
        name = str(event.data.get("name") or event.data.get("tool") or event.data.get("method") or "")
        if name:
            by_name.setdefault(name[:WORDS], []).append(event)
    return [
        {
            "name": name,
            "calls": len(found),
            "first": found[0].time,
            "last": found[-1].time,
            "arguments": str(found[0].data.get("arguments") or "")[:WORDS],
            "arguments_digest": str(found[0].data.get("arguments_digest") or ""),
        }
        for name, found in list(by_name.items())[:NAMED]
    ]


def _models(events: Sequence[Event]) -> dict[str, Any]:
    if not events:
        return {"calls": 0}
    names = (str(e.data.get("model_answered") or e.data.get("model_asked") or "unknown")[:WORDS] for e in events)
    return {
        "calls": len(events),
        "models": list(dict.fromkeys(names))[:NAMED],
        "systems": list(dict.fromkeys(str(e.data.get("system") or "unknown")[:WORDS] for e in events))[:NAMED],
        "first": events[0].time,
        "last": events[-1].time,
    }
