"""Bodies that are streams to their events: server-sent events, lines of JSON, AWS event streams. Each takes bytes cut anywhere."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a body."""

    start: int  # offset in the decoded body
    end: int
    name: str  # SSE `event`, AWS `:event-type`; "" where there is none
    data: bytes


class Splitter(Protocol):
    """Cuts a body into events."""

    held: int  # bytes kept
    lost: int  # events that were too long or broken

    def feed(self, data: bytes) -> Iterator[Event]:
        """Events that end in these bytes."""

    def skip(self, length: int) -> None:
        """These bytes are missing."""

    def finish(self) -> Iterator[Event]:
        """What is complete though nothing follows."""


class Lines:
    """Newline-framed JSON: MCP over stdio, NDJSON of Ollama.

    >>> [e.data for e in Lines(99).feed(b'{}\\r\\n{"a":1}\\n{')]
    [b'{}', b'{"a":1}']
    """

    def __init__(self, longest: int) -> None:
        self.lost, self.position = 0, 0
        self._longest, self._tail, self._start = longest, bytearray(), 0  # no list: single bytes would cost forty each
        self._skipping = False  # until the next newline: the line is too long, or a part is missing

    @property
    def held(self) -> int:
        return len(self._tail)

    def feed(self, data: bytes) -> Iterator[Event]:
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            event = self._line(data[at:end], self.position + end - at + 1)
            self.position += end - at + 1
            at = end + 1
            self._start = self.position
            if event:
                yield event
        rest = data[at:] if at else data
        self.position += len(rest)
        self._keep(rest)

    def _line(self, last: bytes, end: int) -> Event | None:
        line = bytes(self._tail + last) if self._tail else last
        self._tail.clear()
        if self._skipping or len(line) > self._longest:
            self._skipping = False
            self.lost += 1
            return None
        line = line.strip(b"\r \t")
        return Event(self._start, end, "", line) if line else None

    def _keep(self, rest: bytes) -> None:
        if self._skipping or not rest:
            return
        self._tail += rest
        if len(self._tail) > self._longest:
            self._tail, self._skipping = bytearray(), True

    def skip(self, length: int) -> None:
        self._tail, self._skipping = bytearray(), True
        self.position += length

    def finish(self) -> Iterator[Event]:
        if self._tail and (event := self._line(b"", self.position)):
            yield event


class ServerSent:
    """Server-sent events; comments, ids and retries are passed over.

    >>> [(e.name, e.data) for e in ServerSent(99).feed(b": hi\\nevent: a\\ndata: 1\\ndata: 2\\n\\ndata: x")]
    [('a', b'1\\n2')]
    """

    def __init__(self, longest: int) -> None:
        self.lost = 0
        self._longest, self._lines = longest, _AnyLines(longest)
        self._fresh()
        self._broken = False  # until the next blank line
        self.at_chunk = False  # behind a gap, and the next bytes begin a chunk

    def _fresh(self) -> None:
        self._name, self._data, self._lines_of_data, self._start = "", bytearray(), 0, -1

    @property
    def held(self) -> int:
        return len(self._data) + self._lines.held

    def feed(self, data: bytes) -> Iterator[Event]:
        if self.at_chunk and data:
            self.at_chunk = False
            if data.startswith((b"event:", b"data:")):  # servers send an event a chunk; half of one would be no JSON
                self._broken = self._lines.broken = False
        for start, end, line in self._lines.feed(data):
            if event := self._take(start, end, line):
                yield event

    def _take(self, start: int, end: int, line: bytes | None) -> Event | None:
        if line == b"":
            return self._end(end)
        if self._start < 0:
            self._start = start
        if line is None:
            self._broken = True
            return None
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data" and not self._broken:
            self._data += b"\n" + value if self._lines_of_data else value
            self._lines_of_data += 1
            self._broken = len(self._data) > self._longest
        elif name == b"event":
            self._name = value[:128].decode("utf-8", "replace")
        return None

    def _end(self, end: int) -> Event | None:
        event = Event(self._start, end, self._name, bytes(self._data)) if self._lines_of_data else None
        if self._broken:
            event, self._broken = None, False
            self.lost += 1
        self._fresh()
        return event

    def skip(self, length: int) -> None:
        self._fresh()
        self._broken = True
        self._lines.skip(length)

    def finish(self) -> Iterator[Event]:
        """An event without its blank line is dropped by browsers; many clients of models take it, so it counts."""
        if not self._broken:
            for start, end, line in self._lines.finish():
                self._take(start, end, line)
            if event := self._end(self._lines.position):
                yield event


class _AnyLines:
    """Lines that end in LF, CR LF or CR, as SSE allows; None stands for one that is broken."""

    def __init__(self, longest: int) -> None:
        self.position = 0
        self._longest, self._tail, self._start = longest, bytearray(), 0
        self.broken = self._after_cr = False

    @property
    def held(self) -> int:
        return len(self._tail)

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes | None]]:
        if self._after_cr and data[:1] == b"\n":  # second half of a CR LF that was cut
            data = data[1:]
            self.position += 1
            self._start, self._after_cr = self.position, False
        if not data:
            return
        self._after_cr, at = data.endswith(b"\r"), 0
        for end in LINE_END.finditer(data):
            yield self._line(data[at : end.start()], end.end() - end.start())
            at = end.end()
        self._keep(data[at:] if at else data)

    def _line(self, part: bytes, width: int) -> tuple[int, int, bytes | None]:
        line = bytes(self._tail + part) if self._tail else part
        broken = self.broken or len(line) > self._longest
        start, end = self._start, self.position + len(part) + 1  # a CR LF may be cut, so its LF never counts
        self.position += len(part) + width
        self._tail.clear()
        self._start, self.broken = self.position, False
        return start, end, None if broken else line

    def _keep(self, part: bytes) -> None:
        self.position += len(part)
        if not part or self.broken:
            return
        self._tail += part
        if len(self._tail) > self._longest:
            self._tail, self.broken = bytearray(), True

    def skip(self, length: int) -> None:
        self._tail, self.broken, self._after_cr = bytearray(), True, False
        self.position += length

    def finish(self) -> Iterator[tuple[int, int, bytes | None]]:
        if self._tail:
            yield self._line(b"", 0)  # its end counts one byte that never came


class AwsFrames:
    """`application/vnd.amazon.eventstream`: prelude of 12 bytes, headers, payload, two CRCs."""

    PRELUDE = 12

    def __init__(self, longest: int) -> None:
        self.lost, self.position = 0, 0
        self._longest, self._buffer, self._dead = longest, bytearray(), False

    @property
    def held(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Event]:
        if self._dead:
            return
        self._buffer += data
        while len(self._buffer) >= self.PRELUDE and not self._dead:
            size = int.from_bytes(self._buffer[:4], "big")
            if not self._sound(size):
                self._die()
                return
            if len(self._buffer) < size:
                return
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            start, self.position = self.position, self.position + size
            if event := self._event(frame, start):
                yield event

    def _sound(self, size: int) -> bool:
        crc = int.from_bytes(self._buffer[8:12], "big")
        return 16 <= size <= self._longest and zlib.crc32(self._buffer[:8]) == crc

    def _die(self) -> None:
        """Frames have no start marks: after a fault nothing can be found again."""
        self._dead, self.lost = True, self.lost + 1
        self._buffer.clear()

    def _event(self, frame: bytes, start: int) -> Event | None:
        headers = int.from_bytes(frame[4:8], "big")
        end = len(frame) - 4
        if zlib.crc32(frame[:end]) != int.from_bytes(frame[end:], "big") or self.PRELUDE + headers > end:
            self.lost += 1
            return None
        rows = _aws_headers(frame[self.PRELUDE : self.PRELUDE + headers])
        name = rows.get(":event-type") or rows.get(":exception-type", "")
        return Event(start, start + len(frame), name[:128], frame[self.PRELUDE + headers : end])

    def skip(self, length: int) -> None:
        self._die()

    def finish(self) -> Iterator[Event]:
        yield from ()


def _aws_headers(data: bytes) -> dict[str, str]:
    """String headers only; others end the reading, for their lengths differ and none of them is needed."""
    found, at = {}, 0
    while at < len(data):
        size = data[at]
        name = data[at + 1 : at + 1 + size]
        kind = data[at + 1 + size : at + 2 + size]
        if kind != b"\x07":
            break
        at += 2 + size
        length = int.from_bytes(data[at : at + 2], "big")
        found[name.decode("utf-8", "replace")] = data[at + 2 : at + 2 + length].decode("utf-8", "replace")
        at += 2 + length
    return found
