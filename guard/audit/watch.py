"""Who watches what, as the sensors say it, and what people decided: kept beside the rows, because rows need it later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.audit import notices
from guard.audit.canon import digest
from guard.audit.layers import READS
from guard.audit.ledger import Draft, Ledger
from wire.records import Event, Head, Pin, Triage

KEPT = 64  # decisions about one thing, nodes
PROCESSES = 256  # of a workload
WAITING = "waiting"  # findings that wait for a person: id → when they were opened
ASKING = ("risky_drift", "needs_review")
MOST = 4096  # of them
HEARD = "heard"  # node → its last tick
MINUTE, GONE = 60.0, 30 * 86_400.0  # seconds
PLAIN = ("none",)  # a rung of processes that speak to nobody: nothing is missed there


class Watch:
    """What a trail remembers besides its rows; written inside of `Ledger.writing`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # sensors ----------------------------------------------------------------------------------------------------------

    def started(self, head: Head, since: float | None) -> Draft | None:
        """A sensor began; the row of the span before it, if its kernel side was another one."""
        before = self._ledger.noted(f"epoch/{head.node}")
        self._ledger.note(f"epoch/{head.node}", head.epoch)
        probes = self._ledger.noted("probes", {})
        probes[head.node] = [[p.name, p.state, list(p.misses)] for p in head.probes]
        self._ledger.note("probes", dict(list(probes.items())[-KEPT:]))
        if before is None or before == head.epoch:
            return None  # the same kernel side has counted on
        known = "" if since is not None else "; when it ended is not known"
        words = f"the sensor on {head.node} started anew; what happened before it, nobody saw{known}"
        span = {"node": head.node, "start": since, "end": head.time}
        return notices.gap(f"start/{head.node}/{head.epoch}", what="sensor_started", time=head.time, words=words,
                           record=head, gap=span)  # fmt: skip

    def probes(self) -> dict[str, Any]:
        """Node → what its probes give."""
        return self._ledger.noted("probes", {})

    def heard(self, lately: Mapping[str, float], now: float) -> dict[str, float]:
        """Node → its last tick, those of earlier starts of the classifier included; who is gone for long is forgotten."""
        every = self._ledger.noted(HEARD, {}) | dict(lately)
        return {node: last for node, last in every.items() if now - last < GONE}

    def stale(self, known: Mapping[str, float]) -> bool:
        """Whether what is remembered of nodes is older than it should be."""
        kept = self._ledger.noted(HEARD, {})
        return any(last - kept.get(node, float("-inf")) >= MINUTE for node, last in known.items())

    def remember(self, known: Mapping[str, float]) -> None:
        """Keep when nodes were heard of, for the next start."""
        self._ledger.note(HEARD, dict(list(known.items())[-MOST:]))

    def silent(self, known: Mapping[str, float], now: float, patience: float) -> list[Draft]:
        """Rows for nodes that fell silent, and for those that are heard of again."""
        out = []
        for node, last in sorted(known.items()):
            key, was = f"silent/{node}", self._ledger.noted(f"silent/{node}")
            if now - last > patience and was != last:
                words = f"nothing has come from the sensor on {node} for {now - last:.0f} s"
                out.append(notices.gap(f"{key}/{last:.3f}", what="feed_silent", time=now, words=words, layer="all",
                                       gap={"node": node, "start": last, "end": None}))  # fmt: skip
            elif was is not None and last > was and now - last <= patience:
                words = f"the sensor on {node} is heard of again"
                out.append(notices.gap(f"{key}/{was:.3f}/back", what="feed_back", time=now, words=words, layer="all",
                                       gap={"node": node, "start": was, "end": last}))  # fmt: skip
        return out

    def fell(self, draft: Draft) -> None:
        """Remember that a node's silence, or its end, was told."""
        span = draft.content["gap"]
        self._ledger.note(f"silent/{span['node']}", span["start"] if draft.what == "feed_silent" else None)

    # words ------------------------------------------------------------------------------------------------------------

    def covered(self, event: Event, workload: str) -> Draft | None:
        """A process stands on another rung of the ladder; the row, if words are lost or come back."""
        rung, reason = str(event.data.get("rung") or "none"), str(event.data.get("reason") or "")[:200]
        if rung in PLAIN:
            return None
        place = f"{event.replica.node}/{event.replica.cgroup}/{event.replica.generation}"
        who = f"{place}/{event.data.get('pid', event.data.get('source', ''))}"
        rows = self._ledger.noted(f"rungs/{workload}", {})
        before = rows.pop(who, {})
        rows[who] = {"rung": rung, "reason": reason, "since": event.time}
        self._ledger.note(f"rungs/{workload}", dict(list(rows.items())[-PROCESSES:]))
        reads, read = rung in READS, before.get("rung") in READS
        if (reads == read and (before or reads)) or (reads and not before):
            return None
        # One row for all processes of a replica that never were read for one reason, however many come and go.
        key = event.id if before else f"{place}/{digest(f'{rung} {reason}'.encode(errors='replace'))[:16]}"
        told = "are read" if reads else "are not read"
        words = f"model calls of {workload or place} {told}: {rung}{': ' + reason if reason else ''}"
        span = {"node": event.replica.node, "start": before.get("since"), "end": event.time}
        what = "feed_back" if reads else "feed_silent"
        return notices.gap(f"rung/{key}", what=what, time=event.time, words=words, workload=workload, record=event,
                           layer="prompt", gap=span, rung={"from": before.get("rung"), "to": rung})  # fmt: skip

    def rungs(self, workload: str) -> dict[str, Any]:
        """Process → the rung it stands on."""
        return self._ledger.noted(f"rungs/{workload}", {})

    # people -----------------------------------------------------------------------------------------------------------

    def decided(self, record: Triage | Pin) -> None:
        """Remember a decision, for the rows of what it is about."""
        about = record.finding if isinstance(record, Triage) else record.workload
        rows = self._ledger.noted(f"decided/{about}", [])
        told = {"kind": "triage", "decision": record.decision} if isinstance(record, Triage) else {
            "kind": "override", "decision": f"{record.what}={record.value}"
        }  # fmt: skip
        row = told | {"time": record.time, "actor": record.actor, "note": record.note}
        self._ledger.note(f"decided/{about}", [*rows, row][-KEPT:])

    def waits(self, finding: Mapping[str, Any], answered: bool) -> None:
        """Remember a finding that waits for a person, or that it no longer does."""
        rows = self._ledger.noted(WAITING, {})
        rows.pop(finding["id"], None)
        if not answered and finding["state"] == "open" and finding["label"] in ASKING:
            rows[finding["id"]] = finding["opened"]
        self._ledger.note(WAITING, dict(list(rows.items())[-MOST:]))

    def overdue(self, before: float) -> list[str]:
        """Findings that were opened before a time and still wait; each is told once."""
        rows = self._ledger.noted(WAITING, {})
        return [id for id, opened in rows.items() if opened < before]

    def told(self, ids: list[str]) -> None:
        """These findings need no further word."""
        rows = self._ledger.noted(WAITING, {})
        self._ledger.note(WAITING, {id: opened for id, opened in rows.items() if id not in ids})

    def responses(self, finding: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What people decided about a finding, and about its workload since it was opened."""
        of_it = self._ledger.noted(f"decided/{finding['id']}", [])
        beside = [r for r in self._ledger.noted(f"decided/{finding['workload']}", []) if r["time"] >= finding["opened"]]
        return sorted([*of_it, *beside], key=lambda r: r["time"])
