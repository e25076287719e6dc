"""One message body: wire bytes to plain bytes to values. Gives up a part that is broken, too large or missing, and says which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sensor.observe.applayer import apis
from sensor.observe.applayer.events import AwsFrames, Event, Lines, ServerSent, Splitter
from sensor.observe.applayer.inflate import Broken, coding
from sensor.observe.applayer.limits import Limits
from wire.digests import Unreadable, load

REASONS = 8  # that one body keeps
SNIFF = 16  # bytes after which a body without a type shows what it is
SPLITTERS = {
    "text/event-stream": ServerSent,
    "application/vnd.amazon.eventstream": AwsFrames,
    "application/x-ndjson": Lines,
    "application/ndjson": Lines,
    "application/jsonl": Lines,
}


class Body:
    """Undoes the content coding and bounds the result."""

    def __init__(self, side: str, encoding: str, limits: Limits) -> None:
        self.side, self.reasons = side, []
        self._coding = coding(encoding)
        self._coded = bool(encoding) and encoding.strip().lower() != "identity"
        self.unknown_coding = encoding if self._coding is None else ""
        self._left = limits.body
        self._dead = self._coding is None

    def plain(self, data: bytes, *, bounded: bool) -> Iterator[bytes]:
        """Plain pieces. `bounded`: they are kept, so all of them together have a limit."""
        if self._dead or self._coding is None:
            return
        try:
            for piece in self._coding.feed(data):
                self._left -= len(piece) if bounded else 0
                if self._left < 0:
                    self.stop("body is over the limit")
                    return
                yield piece
        except Broken as e:
            self.stop(str(e))

    def stop(self, reason: str) -> None:
        """Nothing of this body is read any more."""
        self._dead = True
        self.note(reason)

    def note(self, reason: str) -> None:
        """Something of it is missing."""
        if len(self.reasons) < REASONS and f"{self.side}: {reason}" not in self.reasons:
            self.reasons.append(f"{self.side}: {reason}")

    def miss(self, offset: int, length: int) -> bool:
        """Bytes of the wire are missing; whether what follows can still be read."""
        self.note(
            f"{length} bytes are missing at offset {offset}" if length else f"bytes are missing at offset {offset}"
        )
        if self._coded:
            self._dead = True  # a coding cannot go on behind a gap
        return not self._dead


class Whole:
    """A body that is read when it ends: one JSON value. What does not begin like JSON is not kept."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._data = bytearray()
        self._torn = self.foreign = self._begun = False

    def feed(self, data: bytes) -> None:
        """More of it."""
        if self.foreign or self._torn:
            return
        for piece in self.body.plain(data, bounded=True):
            self.keep(piece)

    def keep(self, piece: bytes) -> None:
        """A plain piece of it."""
        if not self._begun and (head := piece.lstrip()[:1]):
            self._begun, self.foreign = True, head not in (b"{", b"[")
        if self.foreign:
            self._drop()
            return
        self._data += piece

    @property
    def held(self) -> int:
        """Bytes kept."""
        return len(self._data)

    def _drop(self) -> None:
        self._data = bytearray()

    def miss(self, offset: int, length: int) -> None:
        """A piece is missing: a value with a hole would be a guess."""
        self.body.miss(offset, length)
        self._torn = True
        self._drop()

    def value(self) -> Any:
        """The JSON value; None where there is none."""
        data = self.take()
        if self.body.reasons or not data.strip():
            return None
        try:
            return load(data)
        except Unreadable as e:
            self.body.note(str(e))
            return None

    def take(self) -> bytes:
        """The bytes as they are, once."""
        data = bytes(self._data)
        self._drop()
        return data


class Reply:
    """An answer's body to events, or to one value where it is no stream."""

    def __init__(self, body: Body, media: str, limits: Limits) -> None:
        self.body, self._limits = body, limits
        made = SPLITTERS.get(media)
        self.splitter: Splitter | None = made(limits.event) if made else None
        self._whole = Whole(body)
        self._head: bytearray | None = bytearray() if not media and not made else None
        self.transport = "sse" if made is ServerSent else "http"
        self._torn = False

    @property
    def held(self) -> int:
        """Bytes kept."""
        return self._whole.held + (self.splitter.held if self.splitter else 0) + len(self._head or b"")

    def feed(self, data: bytes) -> Iterator[tuple[Event, Any]]:
        """Events that are complete, each with its JSON (None where it is none)."""
        if self.splitter is None and self._head is None:
            self._whole.feed(data)
            return
        for piece in self.body.plain(data, bounded=self._head is not None):
            if self._head is not None:
                self._head += piece
                piece = self._choose(end=False)
            yield from self._pass(piece)

    def _pass(self, piece: bytes) -> Iterator[tuple[Event, Any]]:
        if self.splitter is not None:
            yield from self._events(self.splitter.feed(piece))
        elif piece:
            self._whole.keep(piece)

    def _choose(self, *, end: bool) -> bytes:
        """A body whose type is not known shows it by its first bytes."""
        head = bytes(self._head or b"")
        if len(head) < SNIFF and not end:
            return b""
        self._head = None
        if head.startswith((b"data:", b"event:", b": ", b"id:", b"retry:")):
            self.splitter, self.transport = ServerSent(self._limits.event), "sse"
        elif head[:1] == b"\0":
            self.splitter = AwsFrames(self._limits.event)
        return head

    @staticmethod
    def _events(events: Iterator[Event]) -> Iterator[tuple[Event, Any]]:
        for event in events:
            yield event, apis.value_of(event.data)

    def miss(self, offset: int, length: int) -> None:
        """A piece is missing: a stream is found again at its next event."""
        self._torn, self._head = True, None
        if self.splitter is None:
            self._whole.miss(offset, length)
        elif self.body.miss(offset, length):
            self.splitter.skip(length)
        else:
            self.splitter.skip(0)

    def at_chunk(self) -> None:
        """Behind a gap: what comes now begins a chunk."""
        if isinstance(self.splitter, ServerSent):
            self.splitter.at_chunk = True

    def finish(self) -> Iterator[tuple[Event, Any]]:
        """What the end completes."""
        if self._head is not None:
            yield from self._pass(self._choose(end=True))
        if self.splitter is None:
            yield from self._single(self._whole.take())
            return
        if not self.body.reasons:
            yield from self._events(self.splitter.finish())
        if self.splitter.lost and not self._torn:
            self.body.note(f"{self.splitter.lost} events are broken or over the limit")

    def _single(self, data: bytes) -> Iterator[tuple[Event, Any]]:
        if self.body.reasons or not data.strip():
            return
        whole = Event(0, len(data), "", data)
        try:
            yield whole, load(data)
        except Unreadable as e:
            lines = Lines(self._limits.event)  # lines of JSON under a wrong type
            values = list(self._events(lines.feed(data.rstrip() + b"\n")))
            if len(values) > 1 and all(v is not None for _, v in values):
                yield from values
            else:
                self.body.note(str(e))
