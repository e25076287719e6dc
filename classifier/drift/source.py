"""What changed, in the words of whoever must act on it: a tool, a permission, a model or prompt, a dependency, a context."""

from __future__ import annotations

import re
from collections.abc import Sequence

from classifier.drift.severity import is_secret, severity
from classifier.drift.verdict import Judged

KINDS = {
    "image": "dependency",
    "dependency": "dependency",
    "model": "model/prompt",
    "prompt": "model/prompt",
    "tools": "tools",
    "config": "context",
    "restart": "unknown",
}
PACKAGED = re.compile(r"(?:exec|open:code|write:code):[^<]*/(?:site-packages|dist-packages|node_modules|vendor)/")


def of(members: Sequence[Judged]) -> tuple[str, str]:
    """Attribution of a cause, and on what it rests."""
    if events := [m.correlation for m in members if m.correlation.possible]:
        best = max(events, key=lambda c: c.signal.value)
        if len(events) == len(members):
            return KINDS.get(best.change, "unknown"), f"event {best.deploy} is a {best.change} change"
    worst = max(members, key=lambda m: severity(m.sighting.behaviour)).sighting
    if secret := next((m.sighting.behaviour for m in members if is_secret(m.sighting.behaviour)), ""):
        return "permission", f"{secret} is an identity or a secret"
    if worst.why in ("volume out", "volume in", "schedule", "creep", "drip", "owner", "dormant return"):
        return "data", f"{worst.behaviour} is known, how much, when or who is not"
    if part := next((m.sighting.behaviour for m in members if PACKAGED.match(m.sighting.behaviour)), ""):
        return "dependency", f"{part} lies among a package's files"
    if near := next((c for m in members for c in m.correlation.considered), None):
        return KINDS.get(near.kind, "unknown"), f"event {near.deploy} is near, though it does not explain this"
    if worst.behaviour.startswith(("open:model:", "write:model:")):
        return "model/prompt", f"{worst.behaviour} is a model that nobody announced"
    if worst.behaviour.startswith("write:code:") or (worst.behaviour.startswith("exec:") and worst.layer == "upper"):
        return "dependency", f"{worst.behaviour} changes what the image brought"
    if worst.behaviour.startswith(("exec:", "egress:")):
        return "tools", f"{worst.behaviour} is a new way to act"
    return "unknown", "nothing tells what changed"
