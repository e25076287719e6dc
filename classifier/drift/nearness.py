"""How near the name of something new lies to what an envelope knows."""

from __future__ import annotations

from classifier.drift.compatibility import head_of
from classifier.drift.sighting import Sighting
from classifier.envelope.envelope import Envelope

HABIT = 5  # files


def nearness(s: Sighting, envelope: Envelope) -> float:
    """1 the same folder or the same owner of a domain, 0 nothing in common. A known behaviour is near by definition."""
    if s.why != "new":
        return 1.0
    kind, _, rest = s.behaviour.partition(":")
    if kind == "egress":
        return envelope.names.host(rest)
    if head_of(s.behaviour) in ("ingress", "syscall", "identity"):
        return 0.0
    return envelope.names.folder(kind, rest)


def habitual(s: Sighting, envelope: Envelope) -> bool:
    """Whether the same owner is known to run at least `HABIT` files below the same top folder, as a builder does."""
    if not s.behaviour.startswith("exec:"):
        return False
    path, _, parent = s.behaviour.removeprefix("exec:").partition("<")
    return envelope.names.shelf(path, parent) >= HABIT
