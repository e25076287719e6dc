"""Bytes of a behaviour, by who moves them, to bounds: per load, per invocation, per hour of the week.

A row holds only maxima in coarse buckets (four to an octave), so rows merge by taking the larger of each byte, twice and
in any order. What counts as too much depends on the load: five times the requests explain five times the bytes, one
request does not. A row is kept only where a window moved more than half the floor below which nothing is a deviation,
and at most `Policy.max_quantities` rows, so that all of them take some ten kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from classifier.envelope.cells import NO_LIMIT
from classifier.envelope.state import stored
from classifier.policy import Policy
from wire.records import Window

BANDS = 16  # octaves of load; more requests than 2^15 a window are one band
TOP = 1 << BANDS - 1  # load of the last band
COUNTS = BANDS  # where the samples per band begin
EACH, WEEKS, RAISED, HOURS = (
    32,
    33,
    34,
    35,
)  # per invocation; bit per week; fortnight of the last raise; hours of the week
LENGTH = HOURS + 168
PEAK = 3  # octaves of load beyond what is known that may explain bytes in proportion
FEW, MANY = 30, 100  # samples before a row has a bound of its own; before its hours have one
OUT_WAY, IN_WAY = ">", "<"


class Moved(Struct, frozen=True, gc=False):
    """What one use moved in one direction, and when."""

    size: int  # bytes
    count: int  # invocations
    load: int  # requests of the same window
    hour: int  # number since the epoch

    @property
    def band(self) -> int:
        return self.load.bit_length() if self.load < TOP else BANDS - 1


@dataclass(frozen=True, slots=True)
class Break:
    """A bound that was left, in words with its numbers, and how many times the bound it was."""

    words: str
    times: float


WITHIN = Break("", 0.0)


def broken_by(size: int, limit: int, words: str) -> Break:
    """How far a number lies beyond its bound."""
    return Break(words, round(size / max(1, limit), 3))


@stored
@dataclass(slots=True)
class Quantities:
    """Rows by direction, behaviour and trigger."""

    limit: int
    rows: dict[str, bytes] = field(default_factory=dict)

    def learn(self, way: str, behaviour: str, trail: str, moved: Moved, *, bounded: bool) -> bool:
        """Take what was moved in; False if there is no room for one more row.

        Args:
            bounded: A bound exists, so that it may rise by one bucket (19 to 25 %) a fortnight and no faster.
        """
        key = f"{way}{behaviour}|{trail}"
        old = self.rows.get(key)
        if old is None:
            if len(self.rows) >= self.limit:
                return False
            old = bytes(LENGTH)
        band, hour, size = moved.band, moved.hour % 168, coarse(moved.size)
        each = coarse(moved.size // moved.count) if moved.count > 1 else size
        rate = coarse(moved.size // moved.load) if moved.load > 1 else size
        known = old[COUNTS + band] == 255 and old[WEEKS] >> (moved.hour // 168 % 8) & 1
        if known and size <= old[band] and each <= old[EACH] and rate <= old[HOURS + hour]:
            return True
        row, fortnight = bytearray(old), (1 + moved.hour // 336 % 255) if bounded else 0
        for place, value in ((band, size), (EACH, each), (HOURS + hour, rate)):
            if value > row[place]:
                _raise(row, place, value, fortnight)
        row[COUNTS + band] = min(255, row[COUNTS + band] + 1)
        row[WEEKS] |= 1 << (moved.hour // 168 % 8)
        self.rows[key] = bytes(row)
        return True

    def broken(
        self, way: str, behaviour: str, trail: str, moved: Moved, most: int, policy: Policy, *, own: bool
    ) -> Break:
        """The bound that this breaks; `WITHIN` if none.

        Args:
            most: Bytes a window that the behaviour may move whoever does it.
            own: Only what this trigger moved itself counts, however little is known of it.
        """
        row = self.rows.get(f"{way}{behaviour}|{trail}", b"")
        samples = sum(row[COUNTS:EACH])
        if samples < FEW and not own:
            if moved.size <= most:
                return WITHIN
            return broken_by(moved.size, most, f"more than {most} bytes in a window, whoever moves them")
        over = _over_load(row, moved, most, policy, trail, own=own)
        return over if over.words else _over_rest(row, moved, policy, samples)

    def least(self, policy: Policy) -> dict[str, int]:
        """Direction and behaviour → the smallest bound of any of its triggers, below which no window needs a look."""
        out: dict[str, int] = {}
        for key, row in self.rows.items():
            name = key.rpartition("|")[0]
            if sum(row[COUNTS:EACH]) >= FEW:
                out[name] = min(out.get(name, NO_LIMIT), int(policy.volume_margin * upper(max(row[:BANDS]))))
        return out

    def widen(self, way: str, behaviour: str, trails: Iterable[str], size: int) -> None:
        """A person or an event says that so many bytes a window are normal for these triggers, at any load and hour."""
        for trail in sorted(trails) or [""]:
            key = f"{way}{behaviour}|{trail}"
            old = self.rows.get(key, bytes(LENGTH) if len(self.rows) < self.limit else b"")
            if not old:
                continue
            row = bytearray(old)
            for place in (*range(BANDS), EACH, *range(HOURS, LENGTH)):
                row[place] = max(row[place], coarse(size))
            row[COUNTS] = max(row[COUNTS], FEW)
            self.rows[key] = bytes(row)

    def merge(self, other: Quantities) -> Quantities:
        """The larger of each; beyond the limit the first in the alphabet, so that any order of merging agrees."""
        limit = max(self.limit, other.limit)
        keys = sorted(self.rows.keys() | other.rows.keys())[:limit]
        return Quantities(limit, {k: _larger(self.rows.get(k), other.rows.get(k)) for k in keys})


def loads(window: Window) -> tuple[int, int]:
    """Requests that came in, and uses of any kind, in a window."""
    came = every = 0
    for use in window.uses:
        every += use.count
        if use.behaviour.startswith("ingress:"):
            came += use.count
    return came, every


def load_for(count: int, load: tuple[int, int]) -> int:
    """The load that may explain what a use of so many invocations moved: requests, or else all other uses.

    Never its own: 2,400 reads are no load that explains what 2,400 reads bring.
    """
    return load[0] or max(1, load[1] - count)


def coarse(n: int) -> int:
    """The bucket of a number of bytes in one byte, four to an octave.

    >>> [coarse(n) for n in (0, 3, 4, 5, 8, 1_000_000, 1 << 62)]
    [0, 3, 12, 13, 16, 83, 252]
    """
    if n < 4:
        return n
    bits = n.bit_length()
    return (bits << 2) | ((n >> (bits - 3)) & 3) if bits < 64 else 255


def upper(b: int) -> int:
    """The largest number of a bucket.

    >>> upper(coarse(1_000_000)), upper(coarse(3))
    (1048575, 3)
    """
    if b < 12:
        return min(b, 3)
    shift = (b >> 2) - 3
    return ((4 + (b & 3) + 1) << shift) - 1


def _raise(row: bytearray, place: int, value: int, fortnight: int) -> None:
    """Raise one maximum to a value beyond it; under a bound at most by one bucket, and once in a fortnight for the whole row."""
    known = row[place]
    if not fortnight or not known:
        row[place] = value
    elif row[RAISED] != fortnight:
        row[place], row[RAISED] = max(known + 1, 12 if known == 3 else 0), fortnight


def _over_load(row: bytes, moved: Moved, most: int, policy: Policy, trail: str, *, own: bool) -> Break:
    who = f"by {trail}" if trail else "by an unknown trigger"
    if not any(row[:BANDS]):
        if not own or moved.size <= policy.volume_floor:
            return WITHIN
        words = f"{moved.size} bytes {who}, which never moved more than {policy.volume_floor // 2} in a window here"
        return broken_by(moved.size, policy.volume_floor, words)
    known, top = largest_at(row, moved.band)
    # The largest of a few dozen windows says little of the next hundred.
    margin = policy.volume_margin * (1 if row[COUNTS + moved.band] >= MANY else 2)
    ceiling = most << min(PEAK, max(0, moved.band - top))
    limit = max(policy.volume_floor, min(int(margin * known), ceiling))
    if moved.size <= limit:
        return WITHIN
    words = f"{moved.size} bytes {who} at a load of {moved.load}; largest known at such a load {known}, bound {limit}"
    return broken_by(moved.size, limit, words)


def largest_at(row: bytes, band: int) -> tuple[int, int]:
    """The largest known bytes a window at a load, and the highest band of load that is known.

    A band with few samples borrows from the next lower one, in proportion to the load, or from the lowest one there is.
    """
    known = row[:BANDS]
    last = len(known.rstrip(b"\0")) - 1
    own = upper(known[band])
    if row[COUNTS + band] >= FEW:
        return own, last
    if lower := known[:band].rstrip(b"\0"):
        return max(own, upper(lower[-1]) << min(PEAK, band - len(lower) + 1)), last
    return max(own, upper(known.lstrip(b"\0")[0])), last


def _over_rest(row: bytes, moved: Moved, policy: Policy, samples: int) -> Break:
    """Per invocation, and per request in this hour of the week; both need more samples."""
    if not row or moved.size <= policy.volume_floor or samples < FEW:
        return WITHIN
    each, limit = moved.size // max(1, moved.count), int(2 * policy.volume_margin * upper(row[EACH]))
    if each > limit:
        return broken_by(each, limit, f"{each} bytes per invocation; largest known {upper(row[EACH])}, bound {limit}")
    if samples < MANY or row[WEEKS].bit_count() < 2:
        return WITHIN
    hour = moved.hour % 168
    before, now, after = row[HOURS + (hour or 168) - 1], row[HOURS + hour], row[HOURS + (hour + 1) % 168]
    if not (before and now and after):
        return WITHIN
    known = upper(max(before, now, after))
    rate, limit = moved.size // max(1, moved.load), int(2 * policy.volume_margin * known)
    if rate <= limit:
        return WITHIN
    words = f"{rate} bytes per request in hour {hour} of the week; largest known {known}, bound {limit}"
    return broken_by(rate, limit, words)


def _larger(one: bytes | None, two: bytes | None) -> bytes:
    if one is None or two is None:
        return one or two or bytes(LENGTH)
    out = bytearray(max(a, b) for a, b in zip(one, two, strict=True))
    out[WEEKS] = one[WEEKS] | two[WEEKS]
    return bytes(out)
