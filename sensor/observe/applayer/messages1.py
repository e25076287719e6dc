"""One direction of HTTP/1.1 to messages, one behind the other. h11 reads heads and chunks; this finds the way after a gap."""

from __future__ import annotations

import re

import h11

from sensor.observe.applayer import headers
from sensor.observe.applayer.chunks1 import NextChunk
from sensor.observe.applayer.exchange import Exchange
from sensor.observe.applayer.lane import Piece
from sensor.observe.applayer.records import Record

METHODS = rb"GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|CONNECT|TRACE"
REQUEST_START = re.compile(rb"(?:%s) [!-~]{1,8192} HTTP/1\.[01]\r\n" % METHODS)
ANSWER_START = re.compile(rb"HTTP/1\.[01] [1-5]\d\d[ \r]")
OVERLAP = 9000  # bytes that are searched again: a start line may be cut
FOREVER = 1 << 62
IN_CHUNKS = {  # heads that put a fresh parser into a chunked body
    True: b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    False: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
}
SWITCH = [("host", "x"), ("connection", "upgrade"), ("upgrade", "x")]  # so that h11 takes a 101


class Side:
    """`step` eats a piece up to the end of one message."""

    def __init__(self, *, of_requests: bool, limit: int, seek: bool) -> None:
        self._requests, self._limit = of_requests, limit
        self._parser: h11.Connection | None = None
        self._seen = bytearray()  # while a start line is sought
        self.seeking, self.torn = seek, seek
        self.exchange: Exchange | None = None
        self.method = "GET"  # of the request that an answer belongs to
        self.start, self.began = 0, 0.0
        self._remaining: int | None = None  # bytes of a body whose length was told; None: chunked, or no body yet
        self._raw = False  # behind a gap: bytes of the body are counted, not parsed
        self._rejoin: NextChunk | None = None  # behind a gap in a chunked body
        self.fed = 0  # offset behind the last byte that was looked at
        self.switched = ""
        self.ended = False  # the message is complete
        self.out: list[Record] = []

    @property
    def idle(self) -> bool:
        """Between two messages."""
        return self._parser is None and not self._raw and self._rejoin is None

    @property
    def in_chunks(self) -> bool:
        """Inside a chunked body."""
        return self._in_body() and self._remaining is None

    def step(self, piece: Piece) -> Piece | None:
        """Eats a piece; gives back what follows the end of a message."""
        self.ended = False
        if piece.data is None:
            return self._gap(piece)
        if self.seeking:
            return self._seek(piece)
        if self._rejoin is not None:
            return self._find_chunk(piece)
        if self._raw:
            return self._count(piece)
        if self._parser is None:
            self._open(piece.start, piece.time)
        self.fed = piece.start + piece.length
        try:
            self._parser.receive_data(piece.data)
            return self._events(piece.time)
        except h11.ProtocolError:  # its text quotes what it read, so it goes no further than here
            self._broken(piece.time, "it does not follow HTTP")
            return None

    def _open(self, start: int, time: float) -> None:
        role = h11.SERVER if self._requests else h11.CLIENT
        self._parser = h11.Connection(role, max_incomplete_event_size=self._limit)
        if not self._requests:
            self._parser.send(h11.Request(method=self.method or "GET", target="/", headers=SWITCH))
            self._parser.send(h11.EndOfMessage())
        self.start, self.began, self._remaining = start, time, None

    def _events(self, time: float) -> Piece | None:
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Data):
                self._data(bytes(event.data), time)
            elif isinstance(event, h11.Request | h11.Response):
                self._head(event, time)
            elif isinstance(event, h11.EndOfMessage):
                return self._end(time)
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    self.switched = _header(event, b"upgrade")[:32] or "upgrade"
                    return None
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                if event is h11.PAUSED and not self._requests and self.method == "CONNECT":
                    self.switched = "tunnel"
                return None

    def _head(self, event: h11.Request | h11.Response, time: float) -> None:
        exchange = self.exchange
        if self._requests:
            target = event.target.decode("latin-1")
            kept = headers.kept(event.headers, exchange.context.redactor)
            exchange.ask(event.method.decode("latin-1"), target, kept, offset=self.start, time=self.began)
        else:
            kept = headers.kept(event.headers, exchange.context.redactor)
            self.out += exchange.answer(event.status_code, kept, offset=self.start, time=self.began)
        self._remaining = self._told_length(event)

    def _told_length(self, event: h11.Request | h11.Response) -> int | None:
        """Bytes of the body; None: chunked."""
        if _header(event, b"transfer-encoding"):
            return None
        told = _header(event, b"content-length")
        if self._requests:
            return int(told) if told else 0
        if self.method == "HEAD" or event.status_code in (204, 304):
            return 0
        return int(told) if told else FOREVER

    def _data(self, data: bytes, time: float) -> None:
        if self._remaining is not None:
            self._remaining -= len(data)
        if self._requests:
            self.exchange.ask_data(data, time)
        else:
            self.out += self.exchange.answer_data(data, time)

    def _end(self, time: float) -> Piece | None:
        """The message is complete; what h11 has read beyond belongs to the next."""
        rest = self._parser.trailing_data[0] if self._parser else b""
        end = self.fed - len(rest)
        self._parser, self._raw, self._remaining, self.ended = None, False, None, True
        if self._requests:
            self.out += self.exchange.asked(offset=end, time=time)
        else:
            self.out += self.exchange.finish(offset=end, time=time)
        return Piece(end, len(rest), time, bytes(rest)) if rest else None

    def _broken(self, time: float, reason: str) -> None:
        """The message cannot be read on; the next start line is sought."""
        begun = self._remaining is not None or self._in_body()
        self._parser, self._raw, self.seeking, self.torn = None, False, True, True
        self._rejoin = None
        self._remaining = None
        self._seen.clear()
        if self._requests and begun:
            self.ended = True
            self.exchange.ask_gap(self.fed, 0)
            self.out += self.exchange.asked(offset=None, time=time)
        elif not self._requests and self.exchange:
            self.ended = True
            self.out += self.exchange.finish(offset=None, time=time, reason=reason)

    def _in_body(self) -> bool:
        return self._parser is not None and self._parser.their_state is h11.SEND_BODY

    def _gap(self, piece: Piece) -> Piece | None:
        known = self._remaining if self._in_body() or self._raw else None
        self.fed = piece.start
        if known is None:
            if self._in_body() or self._rejoin is not None:
                self._miss(piece.start, piece.length)
                self._parser, self._rejoin = None, NextChunk()
                return None
            self._broken(piece.time, f"bytes are missing at offset {piece.start}, its end was not found")
            self.fed = piece.start + piece.length
            return None
        lost = min(known, piece.length)
        self._miss(piece.start, lost)
        self._parser, self._raw = None, True
        self._remaining, self.fed = known - lost, piece.start + lost
        if known == lost:
            self._end(piece.time)
        rest = piece.length - lost
        return Piece(self.fed, rest, piece.time, None) if rest else None

    def _find_chunk(self, piece: Piece) -> Piece | None:
        self.fed = piece.start + piece.length
        found = self._rejoin.find(piece.data)
        if found is not None:
            return self._go_on(found, piece.time)
        if self._rejoin.is_lost:
            self._broken(piece.time, f"its end was not found behind a gap, up to offset {self.fed}")
        return None

    def _go_on(self, rest: bytes, time: float) -> Piece | None:
        """Puts a fresh parser where the lost one would be. What lay before the chunk is left out: it may be anything."""
        start, began = self.start, self.began
        self._rejoin = None
        self._open(start, began)
        try:
            self._parser.receive_data(IN_CHUNKS[self._requests])
            self._parser.next_event()
            if not self._requests:
                self.exchange.answer_at_chunk()
            self._parser.receive_data(rest)
            return self._events(time)
        except h11.ProtocolError:
            self._broken(time, "it does not follow HTTP")
            return None

    def _miss(self, offset: int, length: int) -> None:
        if self._requests:
            self.exchange.ask_gap(offset, length)
        else:
            self.exchange.answer_gap(offset, length)

    def _count(self, piece: Piece) -> Piece | None:
        """Behind a gap in a body of known length: its end is known too."""
        size = min(self._remaining, piece.length)
        self.fed = piece.start + size
        self._data(piece.data[:size], piece.time)
        if self._remaining:
            return None
        self._end(piece.time)
        rest = piece.data[size:]
        return Piece(self.fed, len(rest), piece.time, rest) if rest else None

    def _seek(self, piece: Piece) -> Piece | None:
        """Looks for the next start line."""
        self._seen += piece.data
        self.fed = piece.start + piece.length
        found = (REQUEST_START if self._requests else ANSWER_START).search(self._seen)
        if found is None:
            del self._seen[:-OVERLAP]
            return None
        rest = bytes(self._seen[found.start() :])
        self._seen.clear()
        self.seeking = False
        return Piece(self.fed - len(rest), len(rest), piece.time, rest)

    def close(self, time: float) -> None:
        """No more bytes will come."""
        if self._parser is not None and self._in_body():
            try:
                self._parser.receive_data(b"")
                self._events(time)
            except h11.ProtocolError:
                pass  # cut in the middle: the exchange says so when it is closed
        elif self._raw and self._remaining and self._remaining > FOREVER >> 1:
            self._remaining = 0
            self._end(time)


def _header(event: h11.Request | h11.Response | h11.InformationalResponse, name: bytes) -> str:
    return next((v.decode("latin-1") for n, v in event.headers if n == name), "")
