"""A signed staging baseline and production's envelope to the rows in which they differ. Nothing is widened by it.

`staging_gap`: production does it, staging never did; to be denied or reviewed. `unused`: staging did it, production has
not. `quantity`, `owner`, `schedule`: both do it, but more, by somebody else, or at other hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from classifier.classes.templates import template
from classifier.drift.severity import rated
from classifier.envelope.lineage import plain_lineage
from classifier.policy import Policy

GAP, UNUSED, QUANTITY, OWNER, SCHEDULE = "staging_gap", "unused", "quantity", "owner", "schedule"
ORDER = (GAP, OWNER, QUANTITY, SCHEDULE, UNUSED)
GONE = ("retired",)
ACTION = {GAP: "deny or review", OWNER: "review", QUANTITY: "review", SCHEDULE: "review", UNUSED: "none"}

Row = dict[str, Any]


def divergence(
    content: Mapping[str, Any],
    production: Mapping[str, Any] | None,
    findings: Iterable[Mapping[str, Any]] = (),
    allowed: Iterable[Mapping[str, Any]] = (),
    policy: Policy | None = None,
) -> list[Row]:
    """Every difference, the worst first.

    Args:
        content: of a verified baseline.
        production: the envelope as `envelope show --json` gives it; None: not seen yet.
        findings: of the production workload; what stands in them never entered its envelope.
        allowed: what somebody allowed beyond the baseline, as the view of a track has it; such a row stays, and says so.
    """
    policy = policy or Policy()
    staging = {row["behaviour"]: row for row in content["behaviours"]}
    seen = {b["behaviour"]: b for b in (production or {}).get("behaviours", ()) if b.get("state") not in GONE}
    seen = {**_deviations(findings), **seen}
    only = [b for b in staging if b not in seen]
    rows = [_gap(b, seen[b], only) for b in seen if b not in staging]
    rows += [_difference(UNUSED, b, "staging did it, production has not") for b in only]
    for behaviour in staging.keys() & seen.keys():
        rows += _changed(behaviour, staging[behaviour], seen[behaviour], policy)
    by_behaviour = {a["behaviour"]: a for a in allowed}
    rows = [_excused(r, by_behaviour) for r in rows]
    return sorted(rows, key=lambda r: (ORDER.index(r["kind"]), -r["severity"], r["behaviour"]))


def _deviations(findings: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    """Behaviours that stand in findings, with the finding's id."""
    return {
        d["behaviour"]: {"behaviour": d["behaviour"], "state": "finding", "finding": f["id"], "first": f.get("opened")}
        for f in findings
        for d in f.get("deviations", ())
        if d.get("why") == "new"
    }


def _difference(kind: str, behaviour: str, words: str, **more: Any) -> Row:
    severity, technique = rated(behaviour)
    empty = {"staging": None, "production": None, "first": None, "finding": None}
    empty |= {"allowed_by": None, "allowed_until": None, "note": None}
    return empty | {
        "kind": kind,
        "behaviour": behaviour,
        "severity": severity,
        "technique": technique,
        "words": words,
        "action": ACTION[kind],
    } | more  # fmt: skip


def _gap(behaviour: str, row: Row, only: list[str]) -> Row:
    """One production-only behaviour, with those of staging that have its shape: other names for the same thing, perhaps."""
    shape = template(behaviour)
    like = sorted(b for b in only if shape and template(b) == shape)[:3]
    words = "production does it, staging never did"
    words += f"; of the same shape as {', '.join(like)}, which production does not show" if like else ""
    more = {name: row.get(name) for name in ("first", "finding", "state", "count")}
    return _difference(GAP, behaviour, words, like=like, **more)


def _excused(row: Row, allowed: Mapping[str, Mapping[str, Any]]) -> Row:
    by = allowed.get(row["behaviour"])
    if by is None or row["kind"] == UNUSED:
        return row
    return row | {"action": "allowed", "allowed_by": by["actor"], "allowed_until": by["until"], "note": by["note"]}


def _changed(behaviour: str, staging: Row, production: Row, policy: Policy) -> list[Row]:
    rows = []
    for name, way in (("bytes_out", "sent"), ("bytes_in", "received")):
        before, now = _most(staging, name), _most(production, name)
        if now is not None and before is not None and now > max(policy.volume_margin * before, policy.volume_floor):
            words = f"up to {now} bytes a window {way}, in staging at most {before}"
            rows.append(_difference(QUANTITY, behaviour, words, staging=before, production=now))
    known, mine = _owners(staging), _owners(production)
    if known and (foreign := sorted(mine - known)):
        words = f"done by {', '.join(foreign[:3])}; in staging by {', '.join(sorted(known)[:3])}"
        rows.append(_difference(OWNER, behaviour, words, staging=sorted(known), production=sorted(mine)))
    hours, then = set(production.get("schedule") or ()), set(staging.get("schedule") or ())
    if then and not hours <= then:
        words = f"in {len(hours)} hours of the week, in staging in {len(then)}"
        rows.append(_difference(SCHEDULE, behaviour, words, staging=sorted(then), production=sorted(hours)))
    return rows


def _most(row: Row, name: str) -> int | None:
    return (row.get(name) or {}).get("max")


def _owners(row: Row) -> set[str]:
    """Who acts, by base name: what started it may differ between two places."""
    return {plain_lineage(str(trail)).split("<")[0] for trail in row.get("lineages") or ()}
