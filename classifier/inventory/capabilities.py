"""What an agent can reach, one row each: destinations, tools, models, tool servers, prompts; declared or not, loaded or not.

A row that nobody declared and one that nobody loaded are told apart by two flags of their own; None is "not known": no manifest
speaks of such things, or it could have been missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from classifier.inventory.manifest import DECLARED_ONLY, NEVER, UNDECLARED

KINDS = ("model", "adapter", "tool", "mcp", "prompt", "skill", "data", "identity")
DESTINATION = "destination"
LOOKUPS = ":53"  # a name server is no capability
Row = dict[str, Any]


def capability_map(
    shown: Mapping[str, Any], behaviours: Iterable[Mapping[str, Any]], checked: Iterable[Mapping[str, Any]] | None
) -> list[Row]:
    """Rows by kind and name.

    Args:
        shown: The inventory of a moment (`moment.shown`).
        behaviours: Rows of the envelope (`envelope.view`); who it talks to is taken from them.
        checked: What a manifest says of the inventory (`manifest.checked`); None: there is none.
    """
    said = {(c["kind"], c["loaded"], c["place"]): c for c in checked or () if c["loaded"] is not None}
    items = [_item(i, said.get((i["kind"], i["name"], i["place"]))) for i in shown["items"] if i["kind"] in KINDS]
    absent = [_absent(c) for c in checked or () if c["loaded"] is None and c["kind"] in KINDS]
    peers = [
        _peer(b) for b in behaviours if b["behaviour"].startswith("egress:") and not b["behaviour"].endswith(LOOKUPS)
    ]
    order = {kind: n for n, kind in enumerate((DESTINATION, *KINDS))}
    return sorted([*peers, *items, *absent], key=lambda r: (order[r["kind"]], r["name"], r["version"] or ""))


def _item(item: Mapping[str, Any], check: Mapping[str, Any] | None) -> Row:
    more = item["more"]
    declared = None if check is None else check["status"] != UNDECLARED
    used = more.get("called") == "yes" if item["kind"] == "tool" else True
    return _row(item["kind"], item["name"], item["version"], declared, True, used, item["basis"], item)


def _absent(check: Mapping[str, Any]) -> Row:
    known = check["status"] in (NEVER, DECLARED_ONLY)
    loaded = False if known else None
    return _row(check["kind"], check["declared"], check["declared_version"], True, loaded, loaded, check["basis"], {})


def _peer(behaviour: Mapping[str, Any]) -> Row:
    """`egress:tcp:HOST:PORT`; no manifest lists peers, so whether it was declared is not known."""
    _, _, name = behaviour["behaviour"].split(":", 2)
    return _row(DESTINATION, name, None, None, True, True, "verified", behaviour)


def _row(kind: str, name: Any, version: Any, declared: Any, loaded: Any, used: Any, basis: Any, seen: Any) -> Row:
    return {
        "kind": kind,
        "name": name,
        "version": version,
        "declared": declared,
        "loaded": loaded,
        "used": used,
        "basis": basis,
        "first": seen.get("first"),
        "last": seen.get("last"),
        "evidence": list(seen.get("evidence", ())),
    }
