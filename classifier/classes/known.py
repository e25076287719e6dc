"""What the views of classes and tracks are made from: one moment of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classifier.classes.pins import CLASS, Pins
from classifier.classes.proposal import Proposal
from classifier.classes.table import UNKNOWN
from classifier.envelope.envelope import Envelope
from classifier.inventory.stock import Stock
from classifier.policy import Policy


@dataclass(frozen=True, slots=True)
class Known:
    """One moment; nobody changes it while a view reads it."""

    policy: Policy
    now: float  # seconds, latest tick
    envelopes: Mapping[str, Envelope]
    pins: Pins
    proposals: Mapping[str, Proposal]
    inventories: Mapping[str, Stock] = field(default_factory=dict)

    def workloads(self) -> list[str]:
        """Every workload that was seen or has a pin, by name."""
        return sorted(self.envelopes.keys() | self.pins.kept.keys())

    def proposed(self, workload: str) -> str:
        """The class that its behaviour suggests."""
        found = self.proposals.get(workload)
        return found.name if found is not None else UNKNOWN

    def class_of(self, workload: str) -> str:
        """The class that holds: the pinned one, else the proposed one."""
        return self.pins.value(workload, CLASS) or self.proposed(workload)

    def state(self, workload: str) -> tuple[str, str]:
        """The state of its envelope, and why."""
        e = self.envelopes.get(workload)
        return e.state(max(self.now, e.last)) if e is not None else ("missing", "not seen yet")
