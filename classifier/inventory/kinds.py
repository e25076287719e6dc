"""The kinds of items, and the words by which an inventory says how it knows."""

from __future__ import annotations

from dataclasses import dataclass

VERIFIED, SELF_REPORTED, INFERRED, ABSENT = "verified", "self_reported", "inferred", "absent"
STRENGTH = {VERIFIED: 3, SELF_REPORTED: 2, INFERRED: 1, ABSENT: 0}
UNKNOWN = "unknown"
STARTUP = "startup_not_observed"
NOT_CAPTURED = "not_captured"  # only the application layer can tell
PACKAGES = ("framework", "library")
PROCESS, USE = "process", "use"  # an item is held by a process until that ends, or used now and then


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of item is."""

    words: str
    of: str  # which of the five classes of an AI bill of materials
    kernel: bool = True  # whether the kernel alone can show that there is none
    said: bool = False  # whether calls that are read tell of it
    limit: int = 128  # items of one workload


KINDS: dict[str, Kind] = {
    "model": Kind("weights that were opened, endpoints that were asked", "models", said=True),
    "adapter": Kind("LoRA and other adapters that were opened", "models"),
    "framework": Kind("packages that agents are built with", "infrastructure"),
    "library": Kind("other packages that were opened", "infrastructure", limit=512),
    "mcp": Kind("MCP servers", "tools", said=True),
    "tool": Kind("tools offered to a model", "tools", kernel=False, said=True),
    "prompt": Kind("prompt templates", "tools", kernel=False, said=True),
    "skill": Kind("skills, rules and settings that steer an agent", "tools"),
    "data": Kind("databases, vector stores, buckets", "data sources"),
    "identity": Kind("tokens, credentials, metadata services", "identities"),
}


def unknown(reason: str) -> str:
    """A value that is not known, with the reason.

    >>> unknown(STARTUP)
    'unknown(startup_not_observed)'
    """
    return f"{UNKNOWN}({reason})"
