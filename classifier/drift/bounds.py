"""Do the quantities of a deviation stay within what was learned? One-sided; evidence, never an alarm of its own kind.

A known behaviour is held against its own bytes per window; a new peer, which has no history, against all egress of the
workload: it must not be larger than anything seen before.
"""

from __future__ import annotations

from classifier.drift.finding import Signal
from classifier.drift.sighting import Sighting
from classifier.envelope import cusum, volume
from classifier.envelope.envelope import Envelope
from classifier.envelope.strangers import CREEP, DRIP
from classifier.policy import Policy


def bounds(s: Sighting, envelope: Envelope, policy: Policy) -> Signal:
    """The signal of one deviation."""
    if s.why in ("volume out", "volume in"):
        return _beyond(s, envelope)
    if s.why in (CREEP, DRIP):
        return Signal(False, cusum.LIMIT if s.why == CREEP else cusum.SURE, s.broken)
    if not envelope.measured(policy.volume_windows):
        return Signal(None, 0.0, "no bound is learned yet")
    if s.why == "schedule":
        return Signal(False, 0.0, f"{s.bytes_out} bytes out and {s.bytes_in} in, off schedule")
    if max(s.peak_out, s.peak_in) <= policy.volume_floor:
        return _within(s)
    out, into = envelope.volumes()
    sides = (("out", out, s.peak_out), ("in", into, s.peak_in))
    return next((x for side in sides if (x := _larger(*side, policy)) is not None), _within(s))


def _beyond(s: Sighting, envelope: Envelope) -> Signal:
    out, into = envelope.volume_of(s.behaviour)
    word, h, peak = ("out", out, s.peak_out) if s.why == "volume out" else ("in", into, s.peak_in)
    z = volume.robust_z(h, peak)
    words = f"{peak} bytes {word} in one window; learned median {volume.quantile(h, 0.5)}, largest "
    words += f"{volume.maximum(h)} of {volume.count(h)} windows, robust z {z:.1f}"
    return Signal(False, z, "; ".join(w for w in (words, s.broken, s.note) if w))


def _larger(word: str, h: volume.Histogram, peak: int, policy: Policy) -> Signal | None:
    limit = max(int(policy.volume_margin * volume.maximum(h)), policy.volume_floor)
    if not h or peak <= limit:
        return None
    z = volume.robust_z(h, peak)
    return Signal(
        False, z, f"{peak} bytes {word} in one window; no known peer took more than {volume.maximum(h)}, z {z:.1f}"
    )


def _within(s: Sighting) -> Signal:
    if s.peak_out or s.peak_in:
        return Signal(True, 0.0, f"at most {s.peak_out} bytes out and {s.peak_in} in per window, within learned bounds")
    return Signal(True, 0.0, "no bytes of its own, and nothing known left its bounds")
