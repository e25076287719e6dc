"""Parts of an envelope as rows: by revision, by dimension, what ages, what waits for a person."""

from __future__ import annotations

from typing import Any

from console.cli.output import moment

HELD = {"behaviour": "behaviour", "state": "state", "because": "because", "severity": "severity", "days": "days"}
PARTS = {
    "revisions": {"revision": "revision", "behaviour": "behaviour", "only": "only here"},
    "dimensions": {"dimension": "dimension", "state": "state", "behaviours": "behaviours", "because": "because"},
    "ageing": {
        "behaviour": "behaviour",
        "state": "state",
        "seen": "last seen",
        "weight": "weight",
        "until": "expires",
        "period_days": "every days",
        "closure": "closure",
        "substrate": "substrate",
    },
    "sign_off": HELD | {"replicas": "replicas"},
    "low_confidence": HELD | {"replicas": "replicas", "count": "count"},
}

Row = dict[str, Any]


def rows_of(found: Row, part: str) -> list[Row]:
    """The rows of one part.

    >>> rows_of({"revisions": {"r1": ["a"], "r2": ["a", "b"]}}, "revisions")[-1]
    {'revision': 'r2', 'behaviour': 'b', 'only': True}
    """
    if part == "revisions":
        return _by_revision(found.get("revisions") or {})
    if part == "dimensions":
        return [{"dimension": d} | values for d, values in (found.get("dimensions") or {}).items()]
    items = found.get("behaviours") or []
    if part == "ageing":
        return [b | {"seen": moment(b.get("last")), "until": moment(b.get("expires"))} for b in items]
    wanted = set(found.get(part) or ())
    return [b for b in items if b.get("behaviour") in wanted]


def _by_revision(revisions: dict[str, list[str]]) -> list[Row]:
    """Every behaviour of every revision, and whether no other one showed it."""
    shown: dict[str, int] = {}
    for behaviours in revisions.values():
        for b in behaviours:
            shown[b] = shown.get(b, 0) + 1
    return [{"revision": r, "behaviour": b, "only": shown[b] == 1} for r in sorted(revisions) for b in revisions[r]]
