"""What somebody declared against what was really there.

A manifest is a mapping of sections to lists; an entry is a name, or a mapping with `name` and at will `version`, `endpoint`,
`path`. `mcpServers`, as agents configure their tool servers, is understood too. A section that is missing is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifier.inventory.history import History, Past
from classifier.inventory.kinds import KINDS, NOT_CAPTURED, UNKNOWN, unknown
from classifier.inventory.moment import blind_spots, happened, hiding
from classifier.inventory.packages import plain
from classifier.inventory.servers import stem
from classifier.inventory.sighting import cut

SECTIONS: dict[str, tuple[str, ...]] = {
    "models": ("model", "adapter"),
    "adapters": ("adapter",),
    "frameworks": ("framework", "library"),
    "mcp_servers": ("mcp",),
    "tools": ("tool",),
    "prompts": ("prompt",),
    "skills": ("skill",),
    "data_sources": ("data",),
    "identities": ("identity",),
}
MOST = 4096  # entries
MATCHED, DIFFERS, UNDECLARED, NEVER, DECLARED_ONLY = (
    "matched",
    "version_differs",
    "undeclared",
    "never_loaded",
    "declared_only",
)


class ManifestError(ValueError):
    """A manifest that says nothing; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One entry of a manifest."""

    section: str
    name: str
    version: str = ""
    endpoint: str = ""
    path: str = ""


def declared(manifest: Any) -> list[Declared]:
    """The entries of a manifest.

    Raises:
        ManifestError: It is none.

    >>> [d.name for d in declared({"models": ["model-a"], "mcpServers": {"git": {"command": "uvx"}}})]
    ['model-a', 'git']
    """
    if not isinstance(manifest, Mapping) or not manifest.keys() & {*SECTIONS, "mcpServers"}:
        raise ManifestError(f"a manifest is a mapping with some of {', '.join(SECTIONS)}; see docs/inventory.md")
    out = []
    for section in SECTIONS:
        entries = manifest.get(section) or []
        if not isinstance(entries, list):
            raise ManifestError(f"{section} is no list; write one entry a line, each with a dash")
        out += [_entry(section, entry) for entry in entries[: MOST + 1]]
    servers = manifest.get("mcpServers") or {}
    if not isinstance(servers, Mapping):
        raise ManifestError("mcpServers is no mapping; write a name for each server")
    out += [_server(str(name), entry) for name, entry in list(servers.items())[: MOST + 1]]
    if len(out) > MOST:
        raise ManifestError(f"more than {MOST} entries; split the manifest")
    return out


def checked(history: History, manifest: Any, at: float) -> list[dict[str, Any]]:
    """One row per entry and per item that nobody declared, as of all that was there until `at`.

    Raises:
        ManifestError: The manifest is none.
    """
    entries = declared(manifest)
    kinds = sections_of(manifest)
    items = [i for i in history.items if happened(i, at)]
    missed = blind_spots(history, [r for r in history.runs if r.start <= at], at)
    taken: set[tuple[str, str, str, str]] = set()
    rows = []
    for entry in entries:
        found = [i for i in items if i.kind in SECTIONS[entry.section] and fits(entry, i)]
        taken.update(i.key for i in found)
        rows += [_found(entry, i) for i in found] or [_missing(entry, items, missed, history.since is not None)]
    rows += [_row(i.kind, UNDECLARED, None, i) for i in items if i.kind in kinds - {"library"} and i.key not in taken]
    return rows


def sections_of(manifest: Mapping[str, Any]) -> set[str]:
    """The kinds that a manifest speaks of."""
    kinds = {kind for section, some in SECTIONS.items() if section in manifest for kind in some}
    return kinds | ({"mcp"} if "mcpServers" in manifest else set())


def fits(entry: Declared, item: Past) -> bool:
    """Whether an item is what an entry means."""
    name, seen = entry.name.lower(), item.name.lower()
    if entry.path and (item.place == entry.path or item.place.startswith(entry.path.rstrip("/") + "/")):
        return True
    if entry.endpoint and item.place and _host(entry.endpoint) == item.place:
        return True
    if item.kind in ("framework", "library"):
        return seen in (plain(entry.name), name) or item.more.get("package") in (plain(entry.name), name)
    if item.kind == "mcp":
        return name == seen or stem(entry.name) == stem(item.name) != ""
    if item.kind == "data":
        return name in (seen, item.place.lower(), item.more.get("bucket", "").lower())
    if item.kind == "model":  # org/name of a hub, or the host of a gateway
        return name in (
            seen,
            seen.rpartition("/")[2],
            item.place.partition(".")[0] if item.more.get("reach") == "remote" else seen,
        )
    return name == seen


def _found(entry: Declared, item: Past) -> dict[str, Any]:
    differs = entry.version and item.version not in (UNKNOWN, entry.version)
    return _row(item.kind, DIFFERS if differs else MATCHED, entry, item)


def _missing(entry: Declared, items: list[Past], missed: list[str], observed: bool) -> dict[str, Any]:
    kind = SECTIONS[entry.section][0]
    if not observed:
        status = DECLARED_ONLY
    elif kind == "model" and _unnamed(items):
        status = unknown(NOT_CAPTURED)  # it may be what a remote endpoint was asked for
    elif not KINDS[kind].kernel and not any(i.kind == kind for i in items):
        status = unknown(NOT_CAPTURED)
    else:
        reasons = hiding(kind, missed)
        status = unknown(", ".join(reasons)) if reasons else NEVER
    return _row(kind, status, entry, None)


def _unnamed(items: list[Past]) -> bool:
    """Whether an endpoint was asked and nobody saw for which model."""
    remote = [i for i in items if i.kind == "model" and i.more.get("reach") == "remote"]
    named = {i.place for i in remote if "model" not in i.more}
    return any(i.place not in named for i in remote)


def _row(kind: str, status: str, entry: Declared | None, item: Past | None) -> dict[str, Any]:
    return {
        "status": status,
        "kind": kind,
        "declared": entry.name if entry is not None else None,
        "declared_version": (entry.version or None) if entry is not None else None,
        "loaded": item.name if item is not None else None,
        "loaded_version": item.version if item is not None else None,
        "place": item.place if item is not None else None,
        "basis": item.basis if item is not None else DECLARED_ONLY,
        "first": item.first if item is not None else None,
        "last": item.last if item is not None else None,
        "note": _note(item) if item is not None else "",
        "evidence": list(item.evidence) if item is not None else [],
    }


def _note(item: Past) -> str:
    """What a match does not say."""
    if "differ" in (record := item.more.get("record", "")):
        return record
    return "the endpoint is asked; for which model, nobody saw" if item.more.get("model") else ""


def _entry(section: str, entry: Any) -> Declared:
    if isinstance(entry, str):
        return Declared(section, cut(entry))
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ManifestError(f"an entry of {section} has no name; write a text, or a mapping with name")
    values = {k: cut(str(entry[k])) for k in ("version", "endpoint", "path") if entry.get(k) is not None}
    return Declared(section, cut(entry["name"]), **values)


def _server(name: str, entry: Any) -> Declared:
    url = entry.get("url") if isinstance(entry, Mapping) else None
    return Declared("mcp_servers", cut(name), endpoint=cut(url) if isinstance(url, str) else "")


def _host(endpoint: str) -> str:
    """The host of an endpoint, however it is written."""
    rest = endpoint.partition("://")[2] or endpoint
    return rest.partition("/")[0].rpartition("@")[2].partition(":")[0].lower()
