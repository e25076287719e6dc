"""HTTP/1.1, seen from outside, to exchanges: requests of one direction meet the answers of the other."""

from __future__ import annotations

from collections import deque

from sensor.observe.applayer.exchange import Context, Exchange
from sensor.observe.applayer.lane import OVERHEAD, Piece
from sensor.observe.applayer.messages1 import Side
from sensor.observe.applayer.records import Record

# Bytes of a streamed answer that are parsed together: a read of 60 bytes costs as much as one of 4 KiB.
TOGETHER = 4 << 10


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
