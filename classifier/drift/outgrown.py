"""Windows that far exceed a deviation that was judged, or are of another program, to deviations of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.envelope.lineage import program_of
from classifier.envelope.strangers import INTO, OUT, SCHEDULE, Stranger

if TYPE_CHECKING:
    from classifier.drift.cause import Cause
    from classifier.drift.sighting import Sighting
    from classifier.drift.ward import Ward


def part(w: Ward, stranger: Stranger, first: float, end: float) -> None:
    """What far exceeds a judged deviation, or is another owner's, is not counted to it.

    A window of more than twice the bytes has an open cause looked at again; long after it, or once it is closed, it is
    news. What another program does is news at once: the review of an export must not cover a theft of its bytes.

    Args:
        first, end: seconds, of the stranger and of its window.
    """
    key = f"{stranger.why}|{stranger.use.behaviour}"
    s = w.sightings.get(key)
    cause = w.causes.get(s.cause) if s is not None else None
    if s is None or cause is None or stranger.why not in (OUT, INTO, SCHEDULE):
        return
    who = program_of(stranger.use)
    if not (s.owners and who not in s.owners):
        if s.why == SCHEDULE or stranger.size <= w.policy.volume_margin * _largest(s, who):
            return
        if cause.open and first - s.last <= w.policy.cause_window:
            _look_again(w, cause, end)
            return
    _set_aside(w, key, s, cause)


def _largest(s: Sighting, who: str) -> int:
    """Bytes of the largest window of a program; of whichever, where the state is of a driftline that kept no programs."""
    if s.owners:
        return s.owners.get(who, 0)
    return s.peak_in if s.why == INTO else s.peak_out


def _look_again(w: Ward, cause: Cause, end: float) -> None:
    cause.again, cause.early = min(cause.again, end + w.policy.settle), w.envelope.stage == "converging"
    w.wake = min(w.wake, cause.again)


def _set_aside(w: Ward, key: str, s: Sighting, cause: Cause) -> None:
    """Its key is free for what comes now. One cause may be outgrown more than once, so its place is a part of the name."""
    place = cause.members.index(key)
    cause.members[place] = past = f"{key}|{cause.id}|{place}"
    del w.sightings[key]
    w.sightings[past] = s
