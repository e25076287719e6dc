"""A history to what was there at a moment, what differs between two, and what changed since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from classifier.inventory.coverage import READ, UNCOVERED, unread
from classifier.inventory.history import History, Past, Quiet, Run, Span, Stood
from classifier.inventory.kinds import ABSENT, KINDS, NOT_CAPTURED, STARTUP, unknown

SETTLE = 300.0  # seconds; a shorter pause, as of a rollout or a start, is no change
SILENCE = "silent"
FEED_SILENT = "feed_silent"  # what a workload told of itself was all that was known of its calls


class OutsideError(ValueError):
    """A moment of which nothing is known; the message says what is."""


@dataclass(frozen=True)
class Change:
    """An item that came or went."""

    time: float
    change: str  # "added" or "removed"
    kind: str
    name: str
    version: str
    place: str
    basis: str
    evidence: tuple[str, ...]


def shown(history: History, at: float) -> dict[str, Any]:
    """The inventory as of `at` (seconds), with what could have been missed.

    Raises:
        OutsideError: The moment lies outside of what is known.
    """
    _inside(history, at)
    runs = [run for run in history.runs if alive(run, at)]
    reasons = blind_spots(history, runs, at)
    items = [row for item in history.items if (row := _row(item, at)) is not None]
    return {
        "workload": history.workload,
        "at": at,
        "now": history.now,
        "complete": not reasons,
        "unknown": reasons,
        "replicas": [_watched(run, at) for run in runs],
        "feed": _feed(history, at),
        "coverage": _coverage(history, at),
        "kinds": {kind: _state(kind, items, reasons) for kind in KINDS},
        "items": items,
    }


def alive(run: Run, at: float) -> bool:
    """Whether a replica ran at a moment, as far as anybody knows."""
    return run.start <= at and (run.end is None or at < run.end)


def blind_spots(history: History, runs: Iterable[Run], at: float) -> list[str]:
    """Why something that is not listed may have been there all the same; empty: nothing was missed."""
    runs = list(runs)
    found = {word for run in runs for word in _missed(run, at)}
    if not runs:
        found.add("no_replica_ran" if history.folded is None or at > history.folded else "replicas_folded")
    if history.full:
        found.add("inventory_full")
    if any(q.calls for q in silent(history, at)):
        found.add(FEED_SILENT)
    if history.crowded or unread(_standing(history, at)):
        found.add(UNCOVERED)
    return sorted(found)


def hiding(kind: str, reasons: Iterable[str]) -> list[str]:
    """Those of the reasons for which an item of this kind may have been missed: calls tell of some kinds only."""
    return [r for r in reasons if r != UNCOVERED or KINDS[kind].said]


def _coverage(history: History, at: float) -> dict[str, Any]:
    """Whose words were read at a moment, and whose were not, with the reason."""
    here = _standing(history, at)
    lost = unread(here)
    read = sum(s.rung in READ for s in here)
    state = ("in part" if read else UNCOVERED) if lost else "covered" if read else unknown(NOT_CAPTURED)
    rows = [asdict(s) | {"read": s not in lost} for s in here]
    return {"state": state, "read": read, "unread": len(lost), "not_known": history.crowded, "processes": rows}


def _standing(history: History, at: float) -> list[Stood]:
    return [s for s in history.stood if s.since <= at and (s.until is None or at < s.until)]


def silent(history: History, at: float) -> list[Quiet]:
    """Replicas that told nothing of themselves at a moment, though they ran and had told before."""
    quiet = history.feed.quiet if history.feed is not None else ()
    return [q for q in quiet if q.since < at and (q.until is None or at < q.until)]


def _feed(history: History, at: float) -> dict[str, Any] | None:
    """What the workload tells of itself: counts of now, silence of the moment. None: it never told anything."""
    if history.feed is None:
        return None
    quiet = silent(history, at)
    state = "silent" if any(q.calls for q in quiet) else "quiet" if quiet else "talking"
    recent = [asdict(c) for c in history.feed.recent if c.time <= at]
    told = {"calls": history.feed.calls, "seen_too": history.feed.seen, "waiting": history.feed.waiting}
    return {
        "state": state,
        **told,
        "conflicts": history.feed.conflicts,
        "recent": recent,
        "quiet": [asdict(q) for q in quiet],
    }


def difference(history: History, before: float, after: float) -> list[dict[str, Any]]:
    """What was there at one moment and not at the other; another version of the same is one change.

    Raises:
        OutsideError: One of them lies outside of what is known.
    """
    left, right = shown(history, before), shown(history, after)
    a, b = ({_key(row): row for row in side["items"]} for side in (left, right))
    gone = [row for key, row in a.items() if key not in b]
    come = [row for key, row in b.items() if key not in a]
    rows = []
    for row in come:
        old = next((g for g in gone if _same(g, row)), None)
        if old is not None:
            gone.remove(old)
        rows.append(_changed("changed" if old else "added", row, row["since"], old))
    for row in gone:
        ended = _until(history, row, before, after)
        rows.append(_changed("removed" if right["complete"] or ended else unknown("not_seen"), row, ended, row))
    return sorted(rows, key=lambda r: (r["time"] or after, r["kind"], r["name"], str(r["version"])))


def changes(history: History, since: float = float("-inf")) -> list[Change]:
    """Items that came or went after a time, in order. Pauses in which a rollout or a start fits are left out."""
    out = []
    idle, begun = _idle(history), (history.since or 0.0) + SETTLE
    for item in history.items:
        for number, (start, end) in enumerate(_bridged(item, idle)):
            evidence = _evidence(item, start)
            if start > since and not (number == 0 and start <= begun):
                out.append(_change(item, start, "added", evidence))
            if end is not None and end > since and not any(s <= end <= e + SETTLE for s, e in idle):
                out.append(_change(item, end, "removed", ()))
    return sorted(out, key=lambda c: (c.time, c.change, c.kind, c.name, c.version, c.place))


# one moment ---------------------------------------------------------------------------------------------------------------


def _inside(history: History, at: float) -> None:
    if history.since is None:
        raise OutsideError(f"{history.workload} was never observed")
    if at < history.since:
        raise OutsideError("that is before anything of it was observed")
    if history.kept is not None and at <= history.kept:
        raise OutsideError("items of that time were dropped for want of room")
    if at > history.now:
        raise OutsideError("that has not been observed yet")


def _missed(run: Run, at: float) -> list[str]:
    out = [] if run.observed else [STARTUP]
    if any(start < at for start, _ in run.gaps):
        out.append("gap_or_loss")
    if run.end is None and at > run.last + run.patience:
        out.append(SILENCE)
    return out


def _watched(run: Run, at: float) -> dict[str, Any]:
    missed = _missed(run, at)
    return {
        "replica": run.replica,
        "revision": run.revision,
        "since": run.start if run.observed else unknown(STARTUP),
        "seen_since": run.start,
        "inventory": unknown(", ".join(missed)) if missed else "complete",
    }


def _row(item: Past, at: float) -> dict[str, Any] | None:
    """An item as of a moment; None if it was not there."""
    held = [(h, span) for h in item.held if (span := _around(h.spans, at)) is not None]
    folded = _around(item.past, at)
    if not held and folded is None:
        return None
    starts = [span[0] for _, span in held] + ([folded[0]] if folded else [])
    evidence = dict.fromkeys(id for h, _ in held for id in h.evidence)
    return {
        "kind": item.kind,
        "of": KINDS[item.kind].of,
        "name": item.name,
        "version": item.version,
        "basis": item.basis,
        "version_basis": item.version_basis,
        "place": item.place,
        "since": min(starts),
        "first": item.first,
        "last": min(item.last, at) if item.last > at else item.last,
        "replicas": sorted(h.replica for h, _ in held),
        "revisions": sorted({h.revision for h, _ in held if h.revision}),
        "images": sorted({h.image for h, _ in held if h.image}),
        "lineages": sorted({h.lineage for h, _ in held if h.lineage})[:8],
        "evidence": list(evidence or item.evidence)[:8],
        "uses": item.count,
        "bytes_out": item.bytes_out,
        "bytes_in": item.bytes_in,
        "more": item.more,
    }


def _around(spans: Iterable[Span], at: float) -> Span | None:
    return next(((s, e) for s, e in spans if s <= at and (e is None or at < e)), None)


def _state(kind: str, items: list[dict[str, Any]], reasons: list[str]) -> str:
    """How many of a kind there are; where there are none, whether that is known."""
    count = sum(row["kind"] == kind for row in items)
    if count:
        return str(count)
    if not KINDS[kind].kernel:
        return unknown(NOT_CAPTURED)
    missed = hiding(kind, reasons)
    return unknown(", ".join(missed)) if missed else ABSENT


def happened(item: Past, at: float) -> bool:
    """Whether an item was there at any time until `at`."""
    spans = (*item.past, *(span for h in item.held for span in h.spans))
    return any(start <= at for start, _ in spans)


# two moments --------------------------------------------------------------------------------------------------------------


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["kind"], row["name"], row["version"], row["place"]


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return (old["kind"], old["name"], old["place"]) == (new["kind"], new["name"], new["place"])


def _changed(change: str, row: dict[str, Any], time: float | None, old: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "change": change,
        "kind": row["kind"],
        "name": row["name"],
        "version": row["version"],
        "before": old["version"] if old is not None and change == "changed" else None,
        "time": time,
        "basis": row["basis"],
        "place": row["place"],
        "evidence": row["evidence"],
    }


def _until(history: History, row: dict[str, Any], before: float, after: float) -> float | None:
    """When an item went."""
    item = next(i for i in history.items if i.key == _key(row))
    ends = [e for h in item.held for _, e in h.spans if e is not None and before < e <= after]
    return max(ends + [e for _, e in item.past if e is not None and before < e <= after], default=None)


# over time ----------------------------------------------------------------------------------------------------------------


def _bridged(item: Past, idle: list[tuple[float, float]]) -> list[Span]:
    """The spans of all replicas made one, across pauses in which nothing ran or that are short."""
    spans = sorted((*item.past, *(s for h in item.held for s in h.spans)), key=lambda s: s[0])
    out: list[Span] = []
    for start, end in spans:
        if out and (out[-1][1] is None or start <= out[-1][1] + SETTLE or _covered(out[-1][1], start, idle)):
            last = out[-1][1]
            out[-1] = (out[-1][0], None if None in (last, end) else max(last, end))  # type: ignore[type-var]
        else:
            out.append((start, end))
    return out


def _idle(history: History) -> list[tuple[float, float]]:
    """Spans in which no replica ran."""
    out, until = [], None
    for run in sorted(history.runs, key=lambda r: r.start):
        if until is not None and run.start > until:
            out.append((until, run.start))
        until = max(until or run.start, run.end if run.end is not None else history.now)
    return out + ([(until, history.now)] if until is not None and until < history.now else [])


def _covered(start: float, end: float, idle: list[tuple[float, float]]) -> bool:
    return any(s - SETTLE <= start and end <= e + SETTLE for s, e in idle)


def _evidence(item: Past, start: float) -> tuple[str, ...]:
    return next((h.evidence for h in item.held if any(s == start for s, _ in h.spans)), item.evidence)


def _change(item: Past, time: float, change: str, evidence: tuple[str, ...]) -> Change:
    return Change(time, change, item.kind, item.name, item.version, item.place, item.basis, evidence)
