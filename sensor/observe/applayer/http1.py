"""HTTP/1.1, seen from outside, to exchanges. h11 reads heads and chunks; this pairs, and finds the way after a gap."""

from __future__ import annotations

import re
from collections import deque

import h11

from sensor.observe.applayer import headers
from sensor.observe.applayer.exchange import Context, Exchange
from sensor.observe.applayer.lane import OVERHEAD, Piece
from sensor.observe.applayer.records import Record

METHODS = rb"GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|CONNECT|TRACE"
REQUEST_START = re.compile(rb"(?:%s) [!-~]{1,8192} HTTP/1\.[01]\r\n" % METHODS)
ANSWER_START = re.compile(rb"HTTP/1\.[01] [1-5]\d\d[ \r]")
OVERLAP = 9000  # bytes that are searched again: a start line may be cut
FOREVER = 1 << 62
TOGETHER = (
    4 << 10
)  # bytes of a streamed answer that are parsed together: a read of 60 bytes costs as much as one of 4 KiB
CHUNK_HEAD = re.compile(rb"(?:\A|\r\n)([0-9a-fA-F]{1,6})\r\n")
HEAD_SIZE = 10  # bytes of a chunk's head with both its line ends
MOST_HEADS = 256  # candidates that wait for the end of their chunk
REJOIN = 256 << 10  # bytes in which the next chunk must be found
IN_CHUNKS = {  # heads that put a fresh parser into a chunked body
    True: b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    False: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
}
SWITCH = [("host", "x"), ("connection", "upgrade"), ("upgrade", "x")]  # so that h11 takes a 101


class Side:
    """One direction: messages one behind the other. `step` eats a piece up to the end of one message."""

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
        self._rejoin: bytearray | None = None  # behind a gap in a chunked body: bytes in which the next chunk is sought
        self._heads: list[tuple[int, int]] = []  # where such chunks would begin and end
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
                self._parser, self._rejoin, self._heads = None, bytearray(), []
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
        """Behind a gap in a chunked body: a chunk's head counts when the chunk ends where it says."""
        buffer, self.fed = self._rejoin, piece.start + piece.length
        known = max(0, len(buffer) - HEAD_SIZE)
        buffer += piece.data
        fresh = CHUNK_HEAD.finditer(buffer, known) if known else CHUNK_HEAD.finditer(buffer)
        self._heads += [(m.start(1), m.end() + int(m.group(1), 16)) for m in fresh]
        self._heads = self._heads[:MOST_HEADS]
        for start, end in self._heads:
            if buffer[end : end + 2] == b"\r\n":
                return self._go_on(bytes(buffer[start:]), piece.time)
        self._heads = [(start, end) for start, end in self._heads if end + 2 > len(buffer)]
        if len(buffer) > REJOIN:
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


class Http1:
    """Both directions of one connection."""

    def __init__(self, context: Context, *, seek: bool) -> None:
        self._context, self._limits = context, context.limits
        self.requests = Side(of_requests=True, limit=context.limits.head, seek=seek)
        self.answers = Side(of_requests=False, limit=context.limits.head, seek=seek)
        self._waiting: dict[bool, deque[Piece]] = {True: deque(), False: deque()}  # of requests → pieces
        self._waiting_size = 0
        self._open: deque[Exchange] = deque()  # asked or being asked, not answered
        self.foreign = False  # it speaks something else by now
        self._batch: list[Piece] = []  # small pieces of one streamed answer
        self._batch_size, self._tail = 0, b""

    @property
    def held(self) -> int:
        """Bytes kept."""
        current = self.answers.exchange
        return (
            self._waiting_size + self._batch_size + sum(x.held for x in self._open) + (current.held if current else 0)
        )

    def feed(self, piece: Piece, *, of_requests: bool) -> list[Record]:
        """The next piece of one direction."""
        if self.foreign:
            return []
        if not of_requests and piece.data is not None:
            self._tail = (self._tail + piece.data[-4:])[-4:]
            if self.answers.in_chunks and self.answers.exchange.patient:
                return self._join(piece)
        return self.settle() + self._pass(piece, of_requests=of_requests)

    def _join(self, piece: Piece) -> list[Record]:
        """Puts a piece of a streamed answer to the others. The end of the body never waits."""
        self._batch.append(piece)
        self._batch_size += piece.length
        return self.settle() if self._batch_size > TOGETHER or self._tail == b"\r\n\r\n" else []

    @property
    def pending(self) -> bool:
        """Whether something waits for `settle`."""
        return bool(self._batch)

    def settle(self) -> list[Record]:
        """Parses what was put together."""
        if not self._batch:
            return []
        first, last = self._batch[0], self._batch[-1]
        data = b"".join(p.data for p in self._batch if p.data)
        self._batch, self._batch_size = [], 0
        return self._pass(Piece(first.start, len(data), last.time, data), of_requests=False)

    def _pass(self, piece: Piece, *, of_requests: bool) -> list[Record]:
        self._waiting[of_requests].append(piece)
        self._waiting_size += OVERHEAD + len(piece.data or b"")
        return self._pump()

    def _pump(self) -> list[Record]:
        out: list[Record] = []
        moved = True
        while moved and not self.foreign:
            moved = self._pump_requests(out) | self._pump_answers(out)
        return out

    def _take(self, of_requests: bool) -> Piece:
        piece = self._waiting[of_requests].popleft()
        self._waiting_size -= OVERHEAD + len(piece.data or b"")
        return piece

    def _back(self, piece: Piece | None, of_requests: bool) -> None:
        if piece is not None:
            self._waiting[of_requests].appendleft(piece)
            self._waiting_size += OVERHEAD + len(piece.data or b"")

    def _pump_requests(self, out: list[Record]) -> bool:
        side, moved = self.requests, False
        while self._waiting[True] and not self._may_switch():
            moved = True
            if side.idle and not side.seeking and self._waiting[True][0].data is not None:
                self._new_request(out)
            self._back(side.step(self._take(True)), True)
            out += side.out
            side.out = []
            if side.seeking and self._open and not self._open[-1].request_done:
                self._open.pop()  # its head was never whole
        return moved

    def _new_request(self, out: list[Record]) -> None:
        inferred = self.requests.torn or self.answers.torn
        if not self._open and self.answers.idle and not self.answers.seeking:
            self.requests.torn = self.answers.torn = False  # both sides are quiet: pairs are sure again from here on
        self.requests.exchange = Exchange(self._context, inferred=inferred)
        self._open.append(self.requests.exchange)
        if len(self._open) > self._limits.requests:
            self._context.health.dropped["requests"] += 1
            out += self._open.popleft().finish(offset=None, time=self.requests.began, reason="not waited for")
            self.answers.torn = True

    def _may_switch(self) -> bool:
        """Behind a CONNECT or an upgrade other bytes may follow: they wait for the answer."""
        last = self._open[-1] if self._open else None
        held_back = last is not None and last.request_done and (last.method == "CONNECT" or last.upgrades)
        return held_back and self._waiting_size < self._limits.waiting

    def _pump_answers(self, out: list[Record]) -> bool:
        side, moved = self.answers, False
        while self._waiting[False]:
            if side.idle and not side.seeking and not self._begin_answer(out):
                return moved
            moved = True
            self._back(side.step(self._take(False)), False)
            out += side.out
            side.out = []
            if side.switched:
                self._switch(out)
                return moved
            if side.ended:
                side.exchange = None
        return moved

    def _begin_answer(self, out: list[Record]) -> bool:
        """Finds the request that an answer belongs to; False: it must wait for it."""
        if self.answers.exchange is not None:
            return True
        if self._waiting[False][0].data is None:
            return True
        torn = self.requests.torn or self.answers.torn
        while torn and len(self._open) > 1 and self._open[0].request_done and self._open[1].request_done:
            out += self._open.popleft().finish(offset=None, time=self.answers.began, reason="not seen")
        first = self._open[0] if self._open else None
        if first and first.inferred and first.began > self._waiting[False][0].time:
            first = None  # it began before this request: it answers one that was lost
        if first is None or not first.request_done:
            if not (self.requests.torn or self._waiting_size > self._limits.waiting or (first and first.begun_answer)):
                return False
            first = first or Exchange(self._context, inferred=True)
            if not first.request_done:
                out += first.asked(offset=None, time=self._waiting[False][0].time)
        if self._open and self._open[0] is first:
            self._open.popleft()
        self.answers.exchange, self.answers.method = first, first.method
        return True

    def _switch(self, out: list[Record]) -> None:
        what = self.answers.switched.lower()
        exchange = self.answers.exchange or Exchange(self._context)
        what = what if what in ("websocket", "h2c", "tunnel") else "upgrade"
        out.append(exchange.uncovered(what, "the connection switched its protocol; what follows is not read"))
        self.foreign = True
        self._waiting[True].clear()
        self._waiting[False].clear()
        self._open.clear()
        self._waiting_size = 0

    def close(self, time: float) -> list[Record]:
        """The connection ended: what is open is told as far as it came."""
        if self.foreign:
            return []
        out = self.settle()
        self.answers.close(time)
        out += self.answers.out
        current = self.answers.exchange
        if current is not None and not self.answers.ended:
            out += current.finish(offset=None, time=time, reason="the connection ended in the middle")
        for exchange in self._open:
            if exchange.asked_anything:
                out += exchange.finish(offset=None, time=time, reason="the connection ended before it")
        self._open.clear()
        self.answers.exchange, self.answers.out = None, []
        return out
