"""Bytes of one direction of HTTP/2 to frames. Behind a gap the next frame is found by what a frame header must look like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sensor.observe.applayer.lane import Piece

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x4, 0x8, 0x20
FLAGS = {DATA: 0x9, HEADERS: 0x2D, SETTINGS: 0x1, PUSH_PROMISE: 0xC, PING: 0x1, CONTINUATION: 0x4}
SIZES = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
OF_CONNECTION, OF_STREAM = {SETTINGS, PING, GOAWAY}, {DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION}
SOUGHT = 64 << 10  # bytes kept while a frame is sought
USUAL = 16384  # largest frame that is believed while one is sought
LIKELY = re.compile(  # what `plausible` would not refuse at once; zeros alone are refused here, at the speed of C
    rb"(?=\0[\0-\x40].(?:[\0-\3\5\x09][\0-\x2d]\0(?!\0\0\0)...|[\4\6\7][\0\1]\0\0\0\0|\x08\0\0...))", re.DOTALL
)
CHAIN = 2  # headers in a row that make a find


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `payload` without padding. `missing` bytes of it were lost behind the payload, for DATA only."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    start: int  # absolute offset
    end: int
    time: float
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """From here to there nothing is known, not even how many frames there were."""

    start: int
    time: float


class Frames:
    """Cuts one direction into frames."""

    def __init__(self, *, seek: bool, longest: int) -> None:
        self._buffer, self._longest = bytearray(), longest
        self._at = 0  # absolute offset of the buffer's first byte
        self._owed: tuple[int, int, int] | None = None  # behind a gap in DATA: stream, flags, bytes to come
        self._end_flags = 0  # of the DATA frame that a gap cut
        self.seeking = seek
        self._look_at = 0  # bytes of the buffer from which on it is worth to look again

    @property
    def held(self) -> int:
        """Bytes kept."""
        return len(self._buffer)

    def feed(self, piece: Piece) -> Iterator[Frame | Lost]:
        """Frames that end in this piece."""
        if piece.data is None:
            yield from self._gap(piece.start, piece.length, piece.time)
            return
        if not self._buffer:
            self._at = piece.start
        self._buffer += piece.data
        if self.seeking and not self._find():
            return
        yield from self._frames(piece.time)

    def _frames(self, time: float) -> Iterator[Frame | Lost]:
        taken, buffer = 0, self._buffer
        while True:
            if self._owed:
                used = self._pay(taken)
                yield self._paid(taken, used, time)
                taken += used
                if self._owed:
                    break
            if self._at + taken == 0 and PREFACE.startswith(buffer[: len(PREFACE)]):
                if len(buffer) < len(PREFACE):
                    break
                taken = len(PREFACE)
            if len(buffer) - taken < HEAD:
                break
            size, kind, flags, stream = _head(buffer, taken)
            if size > self._longest:
                yield self._lose(time)
                return
            if len(buffer) - taken < HEAD + size:
                break
            payload = bytes(buffer[taken + HEAD : taken + HEAD + size])
            start = self._at + taken
            taken += HEAD + size
            yield Frame(kind, flags, stream, _unpadded(kind, flags, payload), start, start + HEAD + size, time)
        del buffer[:taken]
        self._at += taken

    def _lose(self, time: float) -> Lost:
        lost = Lost(self._at, time)
        self._buffer.clear()
        self.seeking, self._owed = True, None
        return lost

    def _gap(self, start: int, length: int, time: float) -> Iterator[Frame | Lost]:
        """A gap inside a DATA frame whose head was seen leaves the next boundary known."""
        if self._owed and length <= self._owed[2]:
            stream, flags, left = self._owed
            yield Frame(DATA, flags & ~END_STREAM, stream, b"", start, start + length, time, missing=length)
            self._settle_debt(stream, flags, left - length, time)
            if not self._owed:
                yield self._last(stream, flags, start + length, time)
        elif not self._owed and (frame := self._cut(start, length, time)):
            yield frame
            if not self._owed:
                yield self._last(frame.stream, self._end_flags, start + length, time)
        else:
            yield self._lose(time)
        self._at = start + length

    def _cut(self, start: int, length: int, time: float) -> Frame | None:
        buffer = self._buffer
        if self.seeking or len(buffer) < HEAD:
            return None
        size, kind, flags, stream = _head(buffer, 0)
        left = size - (len(buffer) - HEAD)
        if kind != DATA or flags & PADDED or length > left:
            return None
        payload, first = bytes(buffer[HEAD:]), self._at
        buffer.clear()
        self._end_flags = flags
        self._settle_debt(stream, flags, left - length, time)
        return Frame(DATA, 0, stream, payload, first, start + length, time, missing=length)

    def _settle_debt(self, stream: int, flags: int, left: int, time: float) -> None:
        self._owed = (stream, flags, left) if left else None

    @staticmethod
    def _last(stream: int, flags: int, end: int, time: float) -> Frame:
        return Frame(DATA, flags & END_STREAM, stream, b"", end, end, time)

    def _pay(self, taken: int) -> int:
        return min(self._owed[2], len(self._buffer) - taken)

    def _paid(self, taken: int, used: int, time: float) -> Frame:
        stream, flags, left = self._owed
        start = self._at + taken
        payload = bytes(self._buffer[taken : taken + used])
        self._settle_debt(stream, flags, left - used, time)
        return Frame(DATA, 0 if self._owed else flags & END_STREAM, stream, payload, start, start + used, time)

    def _find(self) -> bool:
        """Moves the buffer to the next likely frame."""
        if len(self._buffer) < self._look_at:
            return False
        at = find(self._buffer)
        if at is None:
            self._look_at = min(SOUGHT, len(self._buffer)) * 9 // 8  # not at every byte: zeros would make it slow
            extra = max(0, len(self._buffer) - SOUGHT)
            del self._buffer[:extra]
            self._at += extra
            return False
        del self._buffer[:at]
        self._at += at
        self.seeking, self._look_at = False, 0
        return True


def _head(buffer: bytes | bytearray, at: int) -> tuple[int, int, int, int]:
    size = int.from_bytes(buffer[at : at + 3], "big")
    return size, buffer[at + 3], buffer[at + 4], int.from_bytes(buffer[at + 5 : at + HEAD], "big") & 0x7FFFFFFF


def _unpadded(kind: int, flags: int, payload: bytes) -> bytes:
    if kind in (DATA, HEADERS, PUSH_PROMISE) and flags & PADDED and payload:
        payload = payload[1 : max(1, len(payload) - payload[0])]
    return payload[5:] if kind == HEADERS and flags & PRIORITISED else payload


def find(buffer: bytes | bytearray) -> int | None:
    """Where a chain of frame headers begins, or one that ends where the bytes end."""
    return next((m.start() for m in LIKELY.finditer(buffer) if _chain(buffer, m.start())), None)


def _chain(buffer: bytes | bytearray, at: int) -> bool:
    for n in range(CHAIN):
        if at + HEAD > len(buffer):
            return n > 0 and at == len(buffer)
        if not plausible(buffer, at):
            return False
        at += HEAD + int.from_bytes(buffer[at : at + 3], "big")
    return True


def plausible(buffer: bytes | bytearray, at: int) -> bool:
    """Whether these nine bytes can be the head of a frame."""
    size, kind, flags, stream = _head(buffer, at)
    if size > USUAL or kind > CONTINUATION or buffer[at + 5] or flags & ~FLAGS.get(kind, 0):
        return False
    if size != SIZES.get(kind, size) or (kind == SETTINGS and size % 6):
        return False
    if stream == 0:
        return kind not in OF_STREAM
    return kind not in OF_CONNECTION
