"""Frames that could not be kept to gaps: how many of which kind, and over which span of each node."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wire import codec
from wire.records import Event, Gap, Head, Identity, Record, Tick, Window


@dataclass
class Loss:
    """What could not be kept, until it was told as a Gap."""

    kinds: Counter[str] = field(default_factory=Counter)
    nodes: dict[str, tuple[float, float]] = field(default_factory=dict)  # node → first and last second lost

    def add(self, record: Record | None) -> None:
        """Count a record; None is one that cannot be read any more."""
        self.kinds[codec.NAMES[type(record)] if record is not None else "damaged"] += 1
        self.reach(record)

    def reach(self, record: Record | None) -> None:
        """What was lost lies before or behind this record, as it cannot say so itself."""
        node, start, end = _span(record)
        if node:
            first, last = self.nodes.get(node, (start, end))
            self.nodes[node] = min(first, start), max(last, end)

    def gaps(self) -> list[Gap]:
        """One gap per node.

        >>> loss = Loss()
        >>> loss.add(Tick("n1", 5.0))
        >>> loss.gaps()
        [Gap(node='n1', start=5.0, end=5.0, reason='lost before the classifier: tick 1')]
        """
        what = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        return [Gap(n, *span, f"lost before the classifier: {what}") for n, span in sorted(self.nodes.items())]


def _span(record: Record | None) -> tuple[str, float, float]:
    match record:
        case Window():
            return record.replica.node, record.start, record.end
        case Event() | Identity():
            return record.replica.node, record.time, record.time
        case Tick() | Head():
            return record.node, record.time, record.time
        case Gap():
            return record.node, record.start, record.end
    return "", 0.0, 0.0
