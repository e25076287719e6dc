"""Where replicas stand that tell of themselves: on the rung `otlp` of the ladder while they do, on none when they fall silent.

Only for those of which no call is seen in any better way: there a silent feed loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from classifier.classes.known import Known
from classifier.inventory.feed import COVERED, Feed
from classifier.otlp.events import EPOCH, SOURCE
from wire.digests import sha256
from wire.records import Event, Replica

SPEAKS, SILENT = "otlp", "uncovered"
Stands = dict[Replica, str]  # replica → rung


def stands(known: Known) -> Stands:
    """Every replica that ever told of itself, as of the last record."""
    return {replica: rung for stock in known.inventories.values() for replica, rung in _of(stock.feed, known.now)}


def _of(feed: Feed, now: float) -> Iterator[tuple[Replica, str]]:
    silent = {s.replica for s in feed.silences if s.until is None and s.calls}
    for replica in feed.last:
        if feed.covered.get(replica, float("-inf")) + COVERED < now:
            yield replica, SILENT if replica in silent else SPEAKS


def changes(before: Mapping[Replica, str], after: Mapping[Replica, str], now: float) -> Iterator[Event]:
    """An event of coverage for each replica that stands elsewhere now."""
    for replica, rung in after.items():
        if before.get(replica) == rung:
            continue
        said = "the workload tells of itself"
        reason = said if rung == SPEAKS else "feed silent: it asks a model and tells nothing of itself any more"
        data: dict[str, str | int | float] = {"rung": rung, "reason": reason, "source": SOURCE, "library": ""}
        name = sha256(f"{replica}\0{rung}\0{now}")[:24]
        yield Event(f"{replica.node}/{EPOCH}/{name}", now, replica, "coverage", None, data)
