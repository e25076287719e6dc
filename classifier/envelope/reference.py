"""What a person has signed, and how far the envelope has moved from it since.

The signature is a record of the stream, so the admitted set at that place of the stream is the reference, and a replay
finds the same. It never changes; the live envelope ages beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from classifier.envelope.items import ADMITTED
from classifier.envelope.state import stored

if TYPE_CHECKING:
    from classifier.envelope.envelope import Envelope

DUE = 0.2  # distance to the signed set from which it has to be looked at again
RECENT = 7  # active days that the live distance looks at


@stored
@dataclass(frozen=True, slots=True)
class Reference:
    """An admitted set, signed."""

    time: float  # seconds
    actor: str
    digest: str
    admitted: tuple[str, ...]


def sign(e: Envelope, *, time: float, actor: str, digest: str) -> bool:
    """Make what is admitted now the reference; False if the digest is of another state than this."""
    from classifier.envelope.view import digest as digest_of

    if digest != digest_of(e):
        return False
    e.signed = Reference(time, actor, digest, tuple(e.admitted))
    return True


def distances(e: Envelope) -> dict[str, Any]:
    """How far the envelope is from what was signed, and what is done now from the envelope."""
    admitted = set(e.admitted)
    live = _live(e, admitted)
    if e.signed is None:
        return {"signed": None, "distance_signed": None, "distance_live": live, "reverification_due": False}
    union = admitted | set(e.signed.admitted)
    moved = round(len(admitted ^ set(e.signed.admitted)) / max(1, len(union)), 6)
    return {
        "signed": asdict(e.signed) | {"admitted": list(e.signed.admitted)},
        "distance_signed": moved,
        "distance_live": live,
        "reverification_due": moved > DUE,
    }


def _live(e: Envelope, admitted: set[str]) -> float | None:
    """Share of what was seen on the latest active days that is not admitted; None before there are any."""
    last = sorted(e.days)[-RECENT:]
    recent = {b for b, i in e.items.items() if last and i.days and max(i.days) >= last[0]}
    known = {b for b in recent if e.items[b].state == ADMITTED}
    return round(1 - len(known & admitted) / len(recent), 6) if recent else None
