"""Why a use does not belong to what an envelope knows."""

from __future__ import annotations

from dataclasses import dataclass

from wire.records import Use

NEW, OUT, INTO, OWNER, SCHEDULE, RETURN, CREEP, DRIP, ALONE = (
    "new",
    "volume out",
    "volume in",
    "owner",
    "schedule",
    "dormant return",
    "creep",
    "drip",
    "one replica alone",
)

Reason = tuple[str, str, float]  # why, which bound broke, and how many times the bound it was
KNOWN: Reason = ("", "", 0.0)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A use that the envelope did not take in, and why."""

    use: Use
    why: str  # NEW, OUT, INTO, OWNER, SCHEDULE or RETURN
    words: str = ""  # which bound broke, with its numbers
    times: float = 0.0  # how many times the bound it was; 0 where no bound broke

    @property
    def size(self) -> int:
        """Bytes the way that is out of bounds; those out where none is."""
        return self.use.bytes_in if self.why == INTO else self.use.bytes_out
