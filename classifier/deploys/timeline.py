"""Deploy events of all workloads, in order, and which of them may explain a moment.

Pure: receivers decide whom to believe and say so in the record (`trust`, `refused`); here an event that nobody
vouches for merely has no weight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from classifier.envelope.state import stored
from classifier.policy import Policy
from wire.records import Deploy

TRUSTED = ("signed", "local")


@stored
@dataclass(slots=True)
class Timeline:
    """Every event once, by its sender's id; refused ones apart, since a forger may use an id that is taken."""

    limit: int
    events: dict[str, Deploy] = field(default_factory=dict)
    refused: list[Deploy] = field(default_factory=list)
    dropped: int = 0

    def add(self, deploy: Deploy) -> bool:
        """Take an event; False if it changes nothing (a second delivery)."""
        if deploy.refused:
            self.refused.append(deploy)
            del self.refused[: -self.limit]
            return True
        if deploy.id in self.events:
            return False
        self.events[deploy.id] = deploy
        if len(self.events) > self.limit:
            del self.events[min(self.events.values(), key=lambda d: (d.time, d.id)).id]
            self.dropped += 1
        return True

    def of(self, workload: str) -> list[Deploy]:
        """Events of a workload, by time. An event for a Deployment is one for each of its containers."""
        mine = (d for d in self.events.values() if concerns(d, workload))
        return sorted(mine, key=lambda d: (d.time, d.id))

    def near(self, workload: str, time: float, policy: Policy) -> list[Deploy]:
        """Events in whose window a time (seconds) lies, whatever their trust."""
        return [d for d in self.of(workload) if covers(d, time, policy)]

    def all(self) -> list[Deploy]:
        """Every event, refused ones included, by time."""
        return sorted((*self.events.values(), *self.refused), key=lambda d: (d.time, d.id, d.received))


def concerns(deploy: Deploy, workload: str) -> bool:
    """Whether an event is about a workload."""
    return workload == deploy.workload or workload.startswith(deploy.workload + "/")


def covers(deploy: Deploy, time: float, policy: Policy) -> bool:
    """Whether a moment lies within an event's window."""
    return -policy.deploy_before <= time - deploy.time <= policy.deploy_after


def trusted(deploy: Deploy) -> bool:
    """Whether an event has weight."""
    return deploy.trust in TRUSTED and not deploy.refused


def names(deploy: Deploy, behaviour: str) -> str | None:
    """The pattern of the declared scope that names a behaviour; None if none does.

    Only ``*`` is special, and a pattern that begins with it names nothing: "anything" is no declaration.
    """
    for pattern in deploy.scope:
        literal = pattern.replace("[", "[[]").replace("?", "[?]")
        if not pattern.startswith("*") and fnmatchcase(behaviour, literal):
            return pattern
    return None
