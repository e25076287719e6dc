"""A minute of a workload to why it was normal: each use against the envelope, beside the rows that speak of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from classifier.drift.finding import Finding
from wire.records import Window

ADMITTED = "admitted"
HALF = 30.0  # seconds before and after a moment


@dataclass(frozen=True, slots=True)
class Used:
    """One behaviour in a minute."""

    behaviour: str
    count: int
    bytes_out: int
    bytes_in: int
    explained: bool  # the envelope admits it
    because: str


def within(windows: Iterable[Window], at: float) -> list[Window]:
    """Windows that touch the minute around a moment."""
    return [w for w in windows if w.end > at - HALF and w.start < at + HALF]


def used(
    windows: Iterable[Window], envelope: Mapping[str, Any] | None, deviating: Mapping[str, str] | None = None
) -> list[Used]:
    """What was done in windows, the most frequent first, each with its place in the envelope.

    Args:
        deviating: Behaviour → the finding that it is part of in that minute: how much, when or by whom was not normal.
    """
    known = {row["behaviour"]: row for row in (envelope or {}).get("behaviours", ())}
    sums: dict[str, list[int]] = {}
    for window in windows:
        for use in window.uses:
            row = sums.setdefault(use.behaviour, [0, 0, 0])
            for place, value in enumerate((use.count, use.bytes_out, use.bytes_in)):
                row[place] += value
    told = deviating or {}
    out = [
        Used(b, *row, *((False, told[b]) if b in told else _place(known.get(b)))) for b, row in sums.items()
    ]  # fmt: skip
    return sorted(out, key=lambda u: (-u.count, u.behaviour))


def share(uses: Iterable[Used]) -> float | None:
    """Which part of the counted uses the envelope explains; None where nothing was counted."""
    every = list(uses)
    total = sum(u.count for u in every)
    return sum(u.count for u in every if u.explained) / total if total else None


def known_then(envelope: Mapping[str, Any], at: float) -> list[dict[str, Any]]:
    """Behaviours that were in use around a moment, as far as the envelope remembers: first seen before, last seen after."""
    names = ("behaviour", "state", "because", "count", "days", "first", "last")
    rows = [row for row in envelope.get("behaviours", ()) if row["first"] <= at <= row["last"]]
    return [
        {name: row.get(name) for name in names} for row in sorted(rows, key=lambda r: (-r["count"], r["behaviour"]))
    ]


def deviating(findings: Iterable[Finding], at: float) -> dict[str, str]:
    """Behaviours that are part of a finding in the minute around a moment, with its name and reason."""
    return {
        d.behaviour: f"part of finding {f.id} ({f.label}): {d.why}"
        for f in findings
        for d in f.deviations
        if d.first < at + HALF and d.last > at - HALF
    }


def _place(row: Mapping[str, Any] | None) -> tuple[bool, str]:
    if row is None:
        return False, "not in the envelope"
    seen = f"seen {row['count']} times on {row['days']} days"
    if row["state"] == ADMITTED:
        return True, f"{seen}, admitted: {row['because']}" if row["because"] else f"{seen}, admitted"
    return False, f"{row['state']}, {seen}"
