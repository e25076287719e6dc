"""What a workload says of itself against what was seen of it: a deviation of its own kind, and the words of its finding.

What was seen is believed (issue 4, section 4). A contradiction proves no intruder: gateways rename models, collectors pass on
what others sent. So it is a review, whatever else is known; a person tells a liar from a proxy. Once for each replica and
attribute in a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from classifier.drift.correlation import Correlation
from classifier.drift.finding import REVIEW, Signal
from classifier.drift.verdict import Judged, Verdict

if TYPE_CHECKING:
    from classifier.drift.sighting import Sighting
    from classifier.inventory.feed import Conflict

CONFLICT = "conflict"
BEHAVIOUR = "self_report_conflict:"
A_DAY = 32  # of one workload that become findings; the rest is counted
AGREED = 256  # that a person accepted
LONGEST = 120  # characters of what was told, and of what was seen
WHAT = 64  # characters of an attribute
SENDER = "kernel"  # how a sender is known to misname itself
RULE = "a workload's word against what was seen of it: the latter is believed, and a person is to look"


def behaviour(conflict: Conflict) -> str:
    """Its name as a deviation.

    >>> from classifier.inventory.feed import Conflict
    >>> behaviour(Conflict(1.0, "host", "a.example", "b.example", "id", "n/1", "n/2"))
    'self_report_conflict:host'
    """
    return BEHAVIOUR + conflict.what[:WHAT]


def key(conflict: Conflict, day: int) -> str:
    """Which deviation it is: one for each attribute, replica and day."""
    r = conflict.replica
    where = f"{r.node}/{r.cgroup}/{r.generation}" if r is not None else ""
    return f"{CONFLICT}|{behaviour(conflict)}|{where}|{day}"


def words(conflict: Conflict) -> str:
    """What was told and what was seen."""
    told, seen = conflict.told[:LONGEST] or "nothing", conflict.seen[:LONGEST] or "something else"
    what = conflict.what[:WHAT]
    if conflict.by == SENDER:
        return f"the sender calls itself {told!r} as {what}; the kernel's is {seen!r}"
    return f"{what} was told as {told!r} and seen as {seen!r}; one call, known by {conflict.by}"


def judged(s: Sighting) -> Judged:
    """No event explains it, no pattern and no bound applies to it."""
    unknown = Signal(None, 0.0, "not applicable to what is said")
    return Judged(s, Correlation(unknown, why_none="no deploy event explains a contradiction"), unknown, unknown)


def verdict(members: Sequence[Judged]) -> Verdict | None:
    """The label of a cause that holds contradictions; None for any other."""
    if any(m.sighting.why == CONFLICT for m in members):
        return Verdict(REVIEW, "medium", RULE)
    return None
