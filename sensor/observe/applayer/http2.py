"""HTTP/2, both directions seen from outside, to one exchange per stream."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from sensor.observe.applayer import frames2 as f2
from sensor.observe.applayer import headers
from sensor.observe.applayer.exchange import Context, Exchange
from sensor.observe.applayer.frames2 import Frame, Frames, Lost
from sensor.observe.applayer.hpack_state import HeaderState
from sensor.observe.applayer.lane import OVERHEAD, Piece
from sensor.observe.applayer.records import Record

Rows = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Step:
    """Something the server did on a stream before the request was complete: it waits for that."""

    frame: Frame
    rows: Rows | None = None  # of HEADERS
    whole: bool = True


@dataclass(slots=True)
class Stream:
    """One stream."""

    exchange: Exchange
    waiting: deque[Step] = field(default_factory=deque)
    waiting_size: int = 0
    ignored: bool = False  # named uncovered; nothing of it is read


@dataclass(slots=True)
class Block:
    """A header block, until its last CONTINUATION."""

    frame: Frame
    data: bytearray


class Way:
    """One direction."""

    def __init__(self, *, seek: bool, longest: int) -> None:
        self.frames = Frames(seek=seek, longest=longest)
        self.state = HeaderState(known=not seek)
        self.block: Block | None = None


class Http2:
    """Both directions of one connection."""

    def __init__(self, context: Context, *, seek: bool) -> None:
        self._context, self._limits = context, context.limits
        self._ways = {of: Way(seek=seek, longest=context.limits.frame) for of in (True, False)}
        self._streams: OrderedDict[int, Stream] = OrderedDict()
        self._torn = seek  # frames were lost: what a stream misses may never come
        self._last_time = 0.0
        self._seen_grpc = False
        self._newest = 0  # stream id
        self.foreign = False

    @property
    def held(self) -> int:
        """Bytes kept."""
        ways = sum(w.frames.held + (len(w.block.data) if w.block else 0) for w in self._ways.values())
        return ways + sum(s.exchange.held + s.waiting_size for s in self._streams.values())

    def feed(self, piece: Piece, *, of_requests: bool) -> list[Record]:
        """The next piece of one direction."""
        out: list[Record] = []
        self._last_time = piece.time
        way = self._ways[of_requests]
        for frame in way.frames.feed(piece):
            if isinstance(frame, Lost):
                self._lost(way, frame, of_requests=of_requests)
            else:
                out += self._frame(way, frame, of_requests=of_requests)
        return out + self._bound()

    def _lost(self, way: Way, lost: Lost, *, of_requests: bool) -> None:
        way.state.lose()
        way.block, self._torn = None, True
        for stream in self._streams.values():
            if of_requests and not stream.exchange.request_done:
                stream.exchange.ask_gap(lost.start, 0)
            elif not of_requests:
                stream.exchange.answer_gap(lost.start, 0)
                stream.exchange.inferred = True

    def _frame(self, way: Way, frame: Frame, *, of_requests: bool) -> list[Record]:
        kind = frame.kind
        if kind in (f2.HEADERS, f2.PUSH_PROMISE):
            way.block = Block(frame, bytearray(frame.payload))
            return self._block_end(way, of_requests) if frame.flags & f2.END_HEADERS else []
        if kind == f2.CONTINUATION and way.block:
            way.block.data += frame.payload
            if len(way.block.data) > self._limits.head:
                way.block = None
                way.state.lose()
                return []
            return self._block_end(way, of_requests) if frame.flags & f2.END_HEADERS else []
        if kind == f2.DATA and frame.stream:
            return self._step(Step(frame), of_requests=of_requests)
        if kind == f2.RST_STREAM and frame.stream in self._streams:
            return self._end_stream(frame.stream, frame, "the stream was reset")
        return []

    def _block_end(self, way: Way, of_requests: bool) -> list[Record]:
        block, way.block = way.block, None
        if block.frame.kind == f2.PUSH_PROMISE:  # nobody pushes models; its block still moves the table
            way.state.read(bytes(block.data[4:]))
            return []
        rows, whole = way.state.read(bytes(block.data))
        return self._step(Step(block.frame, rows, whole), of_requests=of_requests)

    def _stream(self, number: int) -> Stream | None:
        found = self._streams.get(number)
        if found is None and (number > self._newest or self._torn):
            found = self._streams[number] = Stream(Exchange(self._context, stream=number, inferred=self._torn))
            self._newest = max(self._newest, number)
        return found  # None: the stream is over

    def _step(self, step: Step, *, of_requests: bool) -> list[Record]:
        stream = self._stream(step.frame.stream)
        if stream is None or stream.ignored:
            return self._close_ignored(stream, step, of_requests)
        if of_requests:
            out = self._ask(stream, step)
            while stream.exchange.request_done and stream.waiting and not stream.ignored:
                out += self._answer(stream, stream.waiting.popleft())
            return out
        if not stream.exchange.request_done and not self._torn:
            stream.waiting.append(step)
            stream.waiting_size += OVERHEAD + len(step.frame.payload)
            if stream.waiting_size <= self._limits.waiting:
                return []
            return self._release(stream, step)
        return self._answer(stream, step)

    def _release(self, stream: Stream, step: Step) -> list[Record]:
        """Its request never ended; the answer has waited long enough."""
        out = stream.exchange.asked(offset=None, time=step.frame.time)
        while stream.waiting:
            out += self._answer(stream, stream.waiting.popleft())
        stream.waiting_size = 0
        return out

    def _close_ignored(self, stream: Stream | None, step: Step, of_requests: bool) -> list[Record]:
        if stream and not of_requests and step.frame.flags & f2.END_STREAM:
            self._streams.pop(step.frame.stream, None)
        return []

    def _ask(self, stream: Stream, step: Step) -> list[Record]:
        frame, exchange = step.frame, stream.exchange
        out: list[Record] = []
        if exchange.request_done:
            return out
        if step.rows is not None and not exchange.asked_anything:
            out += self._ask_head(stream, step)
            if stream.ignored:
                return out
        elif step.rows is None:
            if not exchange.asked_anything:
                exchange.ask_unseen_head(offset=frame.start, time=frame.time)
            exchange.ask_data(frame.payload, frame.time)
            if frame.missing:
                exchange.ask_gap(frame.start, frame.missing)
        if frame.flags & f2.END_STREAM:
            out += exchange.asked(offset=frame.end, time=frame.time)
        return out

    def _ask_head(self, stream: Stream, step: Step) -> list[Record]:
        rows, redactor = dict(reversed(step.rows)), self._context.redactor
        kept = headers.kept(step.rows, redactor)
        exchange, frame = stream.exchange, step.frame
        if not step.whole:
            kept = headers.Headers(kept.values, kept.session, known=False)
        method, path = rows.get(b":method", b"").decode("latin-1"), rows.get(b":path", b"").decode("latin-1")
        exchange.ask(method[:16], path, kept, offset=frame.start, time=frame.time)
        if not step.whole:
            exchange.note("request: some headers are not known, the connection was seen from its middle")
        if rows.get(b":protocol") == b"websocket":
            return self._ignore(stream, "websocket", "a websocket inside HTTP/2; what follows is not read")
        if method == "CONNECT":
            return self._ignore(stream, "tunnel", "a tunnel; what follows is not read")
        if kept.media.startswith("application/grpc"):
            stream.ignored = True
            if not self._seen_grpc:  # once per connection is enough to say
                self._seen_grpc = True
                return [exchange.uncovered("grpc", "gRPC needs the schema of its messages")]
        return []

    def _ignore(self, stream: Stream, what: str, reason: str) -> list[Record]:
        stream.ignored = True
        return [stream.exchange.uncovered(what, reason)]

    def _answer(self, stream: Stream, step: Step) -> list[Record]:
        frame, exchange = step.frame, stream.exchange
        out: list[Record] = []
        if not exchange.request_done:
            out += exchange.asked(offset=None, time=frame.time)
        if step.rows is not None:
            status = _status(step.rows)
            if status is not None and 100 <= status < 200:
                return out
            if not exchange.begun_answer:
                kept = headers.kept(step.rows, self._context.redactor)
                kept = kept if step.whole else headers.Headers(kept.values, kept.session, known=False)
                out += exchange.answer(status, kept, offset=frame.start, time=frame.time)
        else:
            if not exchange.begun_answer:
                out += exchange.answer(None, headers.UNKNOWN, offset=frame.start, time=frame.time)
            out += exchange.answer_data(frame.payload, frame.time)
            if frame.missing:
                exchange.answer_gap(frame.start, frame.missing)
        if frame.flags & f2.END_STREAM:
            self._streams.pop(frame.stream, None)
            out += exchange.finish(offset=frame.end, time=frame.time)
        return out

    def _end_stream(self, number: int, frame: Frame, reason: str) -> list[Record]:
        """Servers may answer early and reset the rest of the request, so what has come is read first."""
        stream = self._streams.pop(number)
        if stream.ignored:
            return []
        out = [] if stream.exchange.request_done else stream.exchange.asked(offset=None, time=frame.time)
        while stream.waiting:
            step = stream.waiting.popleft()
            out += self._answer(stream, step)
            if step.frame.flags & f2.END_STREAM:
                return out
        return out + stream.exchange.finish(offset=None, time=frame.time, reason=reason)

    def _bound(self) -> list[Record]:
        """Drops the oldest streams where there are too many, or where they hold too much."""
        out: list[Record] = []
        while len(self._streams) > self._limits.streams or (
            len(self._streams) > 1 and self.held > self._limits.connection
        ):
            number = next(iter(self._streams))
            self._context.health.dropped["stream"] += 1
            frame = Frame(f2.RST_STREAM, 0, number, b"", 0, 0, self._last_time)
            out += self._end_stream(number, frame, "dropped for memory")
        return out

    def close(self, time: float) -> list[Record]:
        """The connection ended."""
        out: list[Record] = []
        for number in list(self._streams):
            frame = Frame(f2.RST_STREAM, 0, number, b"", 0, 0, time)
            out += self._end_stream(number, frame, "the connection ended in the middle")
        return out


def _status(rows: Rows) -> int | None:
    told = next((value for name, value in rows if name == b":status"), b"")
    return int(told) if len(told) == 3 and told.isdigit() else None
