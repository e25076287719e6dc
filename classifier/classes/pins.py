"""What people laid down, in whichever order it came, to what holds now and what held before.

Pins form a set: the same one twice counts once, and the latest by its own time holds, so any order of the same pins
gives the same answers. A value that this program does not know has no effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from classifier.classes.table import CLASSES
from classifier.envelope.state import stored
from wire.records import Pin

CLASS, TRACK, DATA, REGULATION = "class", "track", "data", "regulation"
REVERSIBILITY, ENFORCEMENT, STAGING, ALLOW = "reversibility", "enforcement", "staging", "allow"
SIGNED = "signed"  # the digest of the envelope that becomes the reference
TRACKS = ("standard", "regulated", "non-converging")
VALUES: dict[str, tuple[str, ...] | None] = {  # what → its values; None: any text
    CLASS: tuple(CLASSES),
    TRACK: TRACKS,
    DATA: None,
    REGULATION: None,
    REVERSIBILITY: ("reversible", "irreversible"),
    ENFORCEMENT: ("on", "off"),
    STAGING: None,
    ALLOW: None,
    SIGNED: None,
}
MOST = 20_000  # workloads
LONGEST = 8192  # characters of a pin
KEPT = 64  # latest pins per workload and kind …
ALLOWED = 512  # … and of those that allow a behaviour

stored(Pin)


@stored
@dataclass(slots=True)
class Pins:
    """All pins, bounded."""

    kept: dict[str, dict[str, list[Pin]]] = field(default_factory=dict)  # workload → what → oldest first

    def take(self, pin: Pin) -> bool:
        """Take one in; False if it has no effect: unknown, without a time, too long, or too many workloads have pins."""
        if not known(pin.what, pin.value) or not _sound(pin):
            return False
        if pin.workload not in self.kept and len(self.kept) >= MOST:
            return False
        row = self.kept.setdefault(pin.workload, {}).setdefault(pin.what, [])
        if pin not in row:
            row.append(pin)
            row.sort(key=_order)
            del row[: -(ALLOWED if pin.what == ALLOW else KEPT)]
        return True

    def of(self, workload: str, what: str) -> Pin | None:
        """The pin that holds; None if there is none or the last one took it back."""
        row = self.history(workload, what)
        return row[-1] if row and row[-1].value else None

    def value(self, workload: str, what: str) -> str:
        """What the pin that holds says; "" if none does."""
        pin = self.of(workload, what)
        return pin.value if pin is not None else ""

    def allowed(self, workload: str, now: float) -> list[Pin]:
        """What is allowed beyond a staging baseline at a time (seconds): per behaviour the latest pin, if it still runs."""
        latest = {p.value: p for p in self.history(workload, ALLOW) if p.value}
        return [latest[behaviour] for behaviour in sorted(latest) if latest[behaviour].until > now]

    def history(self, workload: str, what: str) -> tuple[Pin, ...]:
        """Every pin of a kind, oldest first, taken back ones included."""
        return tuple(self.kept.get(workload, {}).get(what, ()))


def known(what: str, value: str) -> bool:
    """Whether a pin means something to this program.

    >>> known("class", "web-service"), known("class", ""), known("class", "toaster"), known("colour", "red")
    (True, True, False, False)
    """
    return what in VALUES and (value == "" or (allowed := VALUES[what]) is None or value in allowed)


def _sound(pin: Pin) -> bool:
    """Whether a pin can be kept; control refuses others with a reason, but a trace may hold anything."""
    long = len(pin.workload) + len(pin.value) + len(pin.actor) + len(pin.note)
    return math.isfinite(pin.time) and math.isfinite(pin.until) and long <= LONGEST


def _order(pin: Pin) -> tuple[float, str, str, str, float]:
    return pin.time, pin.value, pin.actor, pin.note, pin.until
