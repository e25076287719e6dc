"""An inventory and its changes as tables for people."""

from __future__ import annotations

from typing import Any

import click

from console.cli.output import emit_list, emit_table, moment

ITEMS = {
    "kind": "kind",
    "name": "name",
    "version": "version",
    "basis": "basis",
    "from": "since",
    "seen": "last seen",
    "replicas": "replicas",
    "place": "place",
    "details": "details",
    "evidence": "evidence",
}
CHANGES = {
    "change": "change",
    "kind": "kind",
    "name": "name",
    "version": "version",
    "before": "before",
    "when": "time",
    "basis": "basis",
    "evidence": "evidence",
}


def print_head(found: dict[str, Any]) -> None:
    what = [("workload", found["workload"]), ("as of", moment(found["at"]))]
    what.append(("complete", "yes" if found["complete"] else f"not known: {', '.join(found['unknown'])}"))
    for run in found["replicas"][:16]:
        since = run["since"] if isinstance(run["since"], str) else f"since {moment(run['since'])}"
        what.append((f"replica {run['replica']}", f"revision {run['revision']}, {since}, {run['inventory']}"))
    if more := found["replicas"][16:]:
        what.append(("replicas", f"{len(more)} more"))
    what += [(kind, state) for kind, state in found["kinds"].items()]
    what += _words_read(found["coverage"])
    what += _telemetry(found["feed"])
    emit_table(("what", "value"), what)
    click.echo()


def _words_read(coverage: dict[str, Any]) -> list[tuple[str, str]]:
    """Whose model and tool calls are read; each process that is not, with the reason."""
    told = [("words", f"{coverage['state']}: {coverage['read']} processes read, {coverage['unread']} not")]
    for one in [p for p in coverage["processes"] if not p["read"]][:8]:
        who = f"{one['rung'].upper()} process {one['pid']}" if one["pid"] else one["rung"].upper()
        told.append((who, f"{one['image'] or 'unknown'}: {one['reason']}"))
    return told


def _telemetry(feed: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What the workload tells of itself, and where that is not what was seen."""
    if feed is None:
        return []
    told = [("telemetry", f"{feed['state']}, {feed['calls']} calls told, {feed['seen_too']} of them seen, too")]
    for one in feed["quiet"][:4]:
        told.append((f"silent: {one['replica']}", f"since {moment(one['since'])}, {one['calls']} calls seen meanwhile"))
    told += [(f"conflict: {what}", f"{count} times") for what, count in feed["conflicts"].items()]
    for one in feed["recent"][-4:]:
        seen = one["seen"] or "not what the kernel says"
        told.append(
            (f"  at {moment(one['time'])}", f"{one['what']} told: {one['told']}; seen: {seen}, known by {one['by']}")
        )
    return told


def in_words(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "from": moment(row["since"]),
        "seen": moment(row["last"]),
        "replicas": len(row["replicas"]),
        "details": row["more"],
        "evidence": row["evidence"][:2],
    }


def emit_changes(found: list[dict[str, Any]], *, as_json: bool, as_csv: bool) -> None:
    in_words = [row | {"when": moment(row["time"]), "evidence": list(row["evidence"])[:4]} for row in found]
    emit_list(in_words, CHANGES, as_json=as_json, as_csv=as_csv, empty="nothing changed")
