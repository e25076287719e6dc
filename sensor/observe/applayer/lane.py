"""Chunks of one direction, in any order, to pieces in order, with gaps where a chunk never came."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

CHUNKS = 256  # that may wait for one missing
OVERHEAD = 256  # bytes that keeping a piece costs beside its own


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that follow the piece before; `data` is None where they are missing."""

    start: int  # absolute offset
    length: int
    time: float  # seconds
    data: bytes | None


class Lane:
    """One direction of a connection.

    >>> lane = Lane(waiting=100, late=1.0)
    >>> lane.add(3, b"def", 0.0), [p.data for p in lane.add(0, b"abc", 0.0)]
    ([], [b'abc', b'def'])
    """

    def __init__(self, *, waiting: int, late: float) -> None:
        self.next = 0  # offset of the first byte that is not handed on
        self.held = 0  # bytes that wait
        self._limit, self._late = waiting, late
        self._waiting: list[tuple[int, bytes | int, float]] = []  # offset, bytes or length of a gap, time

    def add(self, offset: int, data: bytes, time: float) -> list[Piece]:
        """What can be handed on now. Bytes that were seen before are ignored: the first copy counts."""
        return self._insert(offset, data, len(data), time)

    def gap(self, offset: int, length: int, time: float) -> list[Piece]:
        """The capture says that it lost these bytes."""
        return self._insert(offset, length, length, time)

    def _insert(self, offset: int, data: bytes | int, length: int, time: float) -> list[Piece]:
        if length <= 0 or offset < 0 or offset + length <= self.next:
            return []
        if offset <= self.next and not self._waiting:
            return [self._hand(offset, data, time)]
        # the key keeps bytes from being compared with lengths
        insort(self._waiting, (offset, data, time), key=lambda w: w[0])
        self.held += len(data) if isinstance(data, bytes) else 0
        return self.settle(time)

    def settle(self, time: float, *, all_of_it: bool = False) -> list[Piece]:
        """Hand on what is in order; what has been missing for too long becomes a gap."""
        out = []
        while self._waiting and (self._waiting[0][0] <= self.next or all_of_it or self._overdue(time)):
            offset, data, at = self._waiting.pop(0)
            self.held -= len(data) if isinstance(data, bytes) else 0
            length = len(data) if isinstance(data, bytes) else data
            if offset > self.next:
                out.append(Piece(self.next, offset - self.next, at, None))
                self.next = offset
            if offset + length > self.next:
                out.append(self._hand(offset, data, at))
        return out

    def _overdue(self, time: float) -> bool:
        oldest = min(w[2] for w in self._waiting)
        return self.held > self._limit or len(self._waiting) > CHUNKS or time - oldest > self._late

    def _hand(self, offset: int, data: bytes | int, time: float) -> Piece:
        skip, start = self.next - offset, self.next
        if isinstance(data, bytes):
            data = data[skip:] if skip else data
            self.next += len(data)
            return Piece(start, len(data), time, data)
        self.next = offset + data
        return Piece(start, self.next - start, time, None)

    def drop(self) -> None:
        """Forgets what waits."""
        self._waiting, self.held = [], 0
