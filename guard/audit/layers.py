"""Four layers of evidence to what a row has of each: present, missing with the reason, or unknown. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from classifier.links.edges import KERNEL, LAYERS, NETWORK, PARTIAL, PROMPT, TOOLS, Chain
from classifier.links.edges import MISSING as NOT_THERE
from wire.records import Event

PRESENT, MISSING, UNKNOWN = "present", "missing", "unknown"
OF = dict.fromkeys(("exec", "fork", "exit", "open", "identity", "syscall", "io_uring", "digest", "package"), KERNEL)
OF |= dict.fromkeys(("egress", "ingress", "dns", "tls"), NETWORK) | {"llm": PROMPT, "tool": TOOLS, "mcp": TOOLS}
SEEN_BY_NETWORK = ("egress:", "ingress:", "dns:", "tls:")
PROBES = {KERNEL: ("syscalls", "process", "files"), NETWORK: ("network",)}
NO_DEED = ("deploy_event_forgery", "self_report_conflict", "chain:")  # behaviours that no sensor counted
READS = ("symbol", "signature", "otlp")  # rungs of the ladder on which words are read

Probes = Mapping[str, Iterable[Iterable[Any]]]  # node → (name, state, what it misses)
Rungs = Mapping[str, Mapping[str, Any]]  # process → rung, reason, since


def layers(
    events: Iterable[Event], behaviours: Iterable[str], chain: Chain, *, probes: Probes, rungs: Rungs
) -> dict[str, dict[str, Any]]:
    """What a row has of each layer.

    Args:
        events: What the row cites.
        behaviours: Of its deviations, which the sensor counted even where no record shows them.
        probes, rungs: What was watched, where anybody said so.
    """
    counts, partial, bases = _counted(events)
    counted = {NETWORK if b.startswith(SEEN_BY_NETWORK) else TOOLS if b.startswith(("tool:", "mcp:")) else KERNEL
               for b in behaviours if not b.startswith(NO_DEED)}  # fmt: skip
    why = {layer.name: layer.reason for layer in chain.layers if layer.state in (NOT_THERE, PARTIAL)}
    return {
        name: _layer(name, counts.get(name, 0), name in counted, partial.get(name, 0), bases.get(name, set()))
        or _absent(name, why.get(name, ""), probes, rungs)
        for name in LAYERS
    }


def completeness(found: Mapping[str, Mapping[str, Any]]) -> str:
    """How many of the layers are present, such as "3/4"."""
    return f"{sum(layer['state'] == PRESENT for layer in found.values())}/{len(found)}"


def _counted(events: Iterable[Event]) -> tuple[dict[str, int], dict[str, int], dict[str, set[str]]]:
    counts: dict[str, int] = {}
    partial: dict[str, int] = {}
    bases: dict[str, set[str]] = {}
    for event in events:
        if (name := OF.get(event.kind)) is not None:
            counts[name] = counts.get(name, 0) + 1
            partial[name] = partial.get(name, 0) + bool(event.data.get("partial"))
            bases.setdefault(name, set()).add(str(event.data.get("basis") or "verified"))
        if event.data.get("lineage") and event.kind in ("egress", "ingress"):
            counts[KERNEL] = counts.get(KERNEL, 0) + 1  # whose socket it was, the kernel says
            bases.setdefault(KERNEL, set()).add("verified")
    return counts, partial, bases


def _layer(name: str, records: int, counted: bool, partial: int, bases: set[str]) -> dict[str, Any] | None:
    if not records and not counted:
        return None
    basis = next((b for b in ("verified", "self_reported", "inferred") if b in bases), "verified")
    reason = f"{partial} of {records} captured in part" if partial else ""
    return {"state": PRESENT, "basis": basis, "records": records, "counted": counted, "reason": reason}


def _absent(name: str, why: str, probes: Probes, rungs: Rungs) -> dict[str, Any]:
    if name in PROBES:
        state, reason = _unseen(name, probes)
    else:
        state, reason = _unread(name, why, rungs)
    return {"state": state, "basis": "absent", "records": 0, "counted": False, "reason": reason}


def _unseen(name: str, probes: Probes) -> tuple[str, str]:
    if not probes:
        return UNKNOWN, "no sensor has said what it watches"
    for node, told in sorted(probes.items()):
        states = {str(probe[0]): str(probe[1]) for probe in map(list, told)}
        off = [p for p in PROBES[name] if states.get(p, "not loaded") not in ("on", "stand-in")]
        if states and len(off) == len(PROBES[name]):
            words = ", ".join(f"{p} is {states.get(p, 'not loaded')}" for p in off)
            return MISSING, f"not watched on {node}: {words}"
    return MISSING, "watched, and nothing of it belongs to this"


def _unread(name: str, why: str, rungs: Rungs) -> tuple[str, str]:
    if not rungs:
        return MISSING, why or "no feed: nobody reads this workload's calls"
    latest = sorted(rungs.values(), key=lambda r: r.get("since") or 0.0, reverse=True)
    bad = next((r for r in latest if r.get("rung") not in READS), None)
    if bad is not None:
        partly = "in part: " if any(r.get("rung") in READS for r in latest) else ""
        return MISSING, f"{partly}feed {bad.get('rung')}: {bad.get('reason') or 'no reason was given'}"
    return MISSING, why or "read, and nothing of it belongs to this"
