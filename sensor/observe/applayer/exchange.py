"""One request and its answer to records, whatever protocol carried them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from sensor.observe.applayer import apis, headers, llm, mcp
from sensor.observe.applayer.body import Body, Reply, Whole
from sensor.observe.applayer.events import Event
from sensor.observe.applayer.headers import UNKNOWN, Headers
from sensor.observe.applayer.limits import Health, Limits
from sensor.observe.applayer.records import Direction, Place, Record, Span, Uncovered
from sensor.observe.applayer.talk import Answered
from wire.digests import Unreadable
from wire.redact import Redactor

OTHER: dict[Direction, Direction] = {"sent": "received", "received": "sent"}


@dataclass(slots=True)
class Context:
    """What all exchanges of a connection share."""

    connection: Hashable
    owner: Hashable  # whose connection it is: MCP sessions of two owners never mix
    limits: Limits
    redactor: Redactor
    health: Health
    sessions: mcp.Sessions
    session: mcp.Session  # of messages without a session id
    client: Direction = "sent"  # the direction that requests go
    exchanges: int = 0

    @property
    def role(self) -> str:
        """What the observed process is."""
        return "client" if self.client == "sent" else "server"

    def number(self) -> int:
        """The number of the next exchange."""
        self.exchanges += 1
        return self.exchanges - 1


@dataclass(slots=True)
class Reach:
    """The bytes that one message has had so far."""

    start: int
    began: float
    ended: float
    end: int | None = None

    def span(self, direction: Direction, body: tuple[int, int] | None = None) -> Span:
        """As it stands."""
        return Span(direction, self.start, self.end, self.began, self.ended, body)


class Exchange:
    """A request, then its answer. The protocol calls the methods in that order and gives absolute offsets."""

    def __init__(self, context: Context, *, stream: int | None = None, inferred: bool = False) -> None:
        self.context, self.stream, self.inferred = context, stream, inferred
        self.number = context.number()
        self.method, self.request_done, self.begun_answer = "", False, False
        self._path, self._target_key, self._status = "", "", None
        self._request_headers = self._answer_headers = UNKNOWN
        self._request: Reach | None = None
        self._answer: Reach | None = None
        self._asking: Whole | None = None
        self._reply: Reply | None = None
        self._question: llm.Question | None = None
        self._answered: Answered | None = None
        self._streaming: apis.AnswerStream | None = None
        self._rpc = self._unknown = False
        self._session: mcp.Session = context.session
        self._scope: Hashable = (self.number,)
        self._named: mcp.Session | None = None  # what the answer's session id stands for
        self._extra: list[str] = []
        self._lost_error: str | None = None

    @property
    def held(self) -> int:
        """Bytes kept."""
        parts = (self._asking, self._reply, self._streaming)
        return 512 + sum(p.held for p in parts if p is not None)

    @property
    def upgrades(self) -> bool:
        """Whether the request asks for another protocol."""
        return bool(self._request_headers.get("upgrade"))

    @property
    def patient(self) -> bool:
        """Whether its answer tells nothing before it ends; messages of MCP have times of their own."""
        return self._question is not None

    @property
    def began(self) -> float:
        """Seconds; when its request began, as far as it was seen."""
        return self._request.began if self._request else 0.0

    @property
    def asked_anything(self) -> bool:
        """Whether a head of the request was seen."""
        return self._request is not None

    @property
    def place(self) -> Place:
        """Where this is."""
        host = self._request_headers.get("host") or self._request_headers.get(":authority")
        c = self.context
        return Place(c.connection, self.number, c.role, host, self._path, self._status, self.stream)

    # The request.

    def ask(self, method: str, target: str, head: Headers, *, offset: int, time: float) -> None:
        """The head of the request."""
        self.method, self._request_headers = method, head
        self._path = headers.path(target, self.context.redactor)
        self._target_key = _address_key(target)
        self._request = Reach(offset, time, time)
        body = Body("request", head.get("content-encoding"), self.context.limits)
        self._asking = Whole(body)

    def ask_unseen_head(self, *, offset: int, time: float) -> None:
        """A request whose head cannot be read: its body still can."""
        self.ask("", "", UNKNOWN, offset=offset, time=time)
        self._extra.append("request: its head was not seen")

    def note(self, reason: str) -> None:
        """Something of it is not known."""
        self._extra.append(reason)

    def ask_data(self, data: bytes, time: float) -> None:
        """Bytes of its body."""
        if self._asking and self._request:
            self._request.ended = time
            self._asking.feed(data)

    def ask_gap(self, offset: int, length: int) -> None:
        """Bytes of its body that are missing; length 0: nobody knows how many."""
        if self._asking:
            self._asking.miss(offset, length)

    def asked(self, *, offset: int | None, time: float) -> list[Record]:
        """The request is complete; or cut off, then without an offset."""
        self.request_done = True
        if self._request is None or self._asking is None:
            self._unknown = True
            return []
        self._request.end, self._request.ended = offset, time
        if offset is None:
            self._extra.append("request: end not seen")
        asking, self._asking = self._asking, None
        coding = asking.body.unknown_coding
        try:
            value = asking.value()
            out = self._recognise(value, asking)
        except (Unreadable, RecursionError):
            asking.body.note("nested too deep")
            out = self._recognise(None, asking)  # by its path alone
        self._extra += asking.body.reasons
        self._unknown |= bool(self._extra) and self._question is None and not self._rpc and not asking.foreign
        if coding and not out:
            return [self.uncovered(f"coding:{coding[:32]}", "its content coding is not known")]
        return out

    def _recognise(self, value: Any, asking: Whole) -> list[Record]:
        c = self.context
        if mcp.is_rpc(value):
            self._rpc = True
            self._choose_session()
            return list(self._session.take(value, self._envelope("request", c.client, None)))
        asked = apis.asked(self._path, value)
        if asked is None and asking.body.reasons:
            asked = apis.by_path(self._path)
        if asked:
            self._question = llm.question(asked, self.place, c.redactor, c.limits)
        return []

    def _choose_session(self) -> None:
        """By the session id; by the address that an old server told; else the connection's own."""
        c, head = self.context, self._request_headers
        by_address = c.sessions.known(c.owner, self._target_key)
        if head.session:
            self._session, self._scope = c.sessions.get(c.owner, head.session), None
        elif by_address:
            self._session, self._scope = by_address, None

    def _envelope(self, side: str, by: Direction, event: Event | None) -> mcp.Envelope:
        reach = self._request if side == "request" else self._answer
        head = self._request_headers if side == "request" else self._answer_headers
        transport = self._reply.transport if self._reply else "http"
        span = reach.span(by, (event.start, event.end) if event else None) if reach else Span(by, 0, None, 0.0, 0.0)
        return mcp.Envelope(self.place, transport, by, span, head, self._scope, tuple(self._extra))

    # The answer.

    def answer(self, status: int | None, head: Headers, *, offset: int, time: float) -> list[Record]:
        """The head of the answer."""
        self.begun_answer = True
        self._status, self._answer_headers = status, head
        self._answer = Reach(offset, time, time)
        if not head.known:
            self._extra.append("answer: headers are not known, the connection was seen from its middle")
        if not self._wanted(head):
            return []
        c = self.context
        if head.session and self._session is c.session:
            self._adopt(head.session)
        body = Body("answer", head.get("content-encoding"), c.limits)
        self._reply = Reply(body, head.media, c.limits)
        if body.unknown_coding:
            return [self.uncovered(f"coding:{body.unknown_coding[:32]}", "its content coding is not known")]
        return []

    def _wanted(self, head: Headers) -> bool:
        """Whether the answer can matter. A request that is whole and no call has none; a GET may open an MCP stream."""
        if self._question or self._rpc or self._unknown or self._request is None:
            return True
        return self.method == "GET" and head.media == "text/event-stream"

    def _adopt(self, key: str) -> None:
        """The answer to `initialize` names the session; what the server says of itself belongs to it."""
        self._named = self.context.sessions.get(self.context.owner, key)

    def answer_data(self, data: bytes, time: float) -> list[Record]:
        """Bytes of its body."""
        if self._reply is None or self._answer is None:
            return []
        self._answer.ended = time
        return [record for event, value in self._reply.feed(data) for record in self._take(event, value)]

    def _take(self, event: Event, value: Any, *, single: bool = False) -> list[Record]:
        try:
            if mcp.is_rpc(value):
                return self._take_rpc(event, value, single=single)
            if event.name == "endpoint" and value is None:
                self._told_address(event)
            elif self._rpc:
                pass
            elif single:
                self._answered = apis.answered(value, self.context.limits)
                self._lost_error = apis.error_of(value) if self._answered is None and isinstance(value, dict) else None
            elif value is None or isinstance(value, dict):
                self._streaming = self._streaming or apis.AnswerStream(self.context.limits)
                self._streaming.add(event, value)
        except (Unreadable, RecursionError):
            self._extra.append("answer: nested too deep")
        return []

    def _take_rpc(self, event: Event, value: Any, *, single: bool) -> list[Record]:
        if not self._rpc:
            self._rpc = True
            self._choose_session()
        by = OTHER[self.context.client]
        records = list(self._session.take(value, self._envelope("answer", by, None if single else event)))
        if (named := self._named) and self._session.server.value:
            named.server, named.generation = self._session.server, self._session.generation
        return records

    def _told_address(self, event: Event) -> None:
        """Servers until 2024-11-05 tell on the stream where to post; the answers come back on the stream."""
        c = self.context
        self._session = c.sessions.get(c.owner, _address_key(event.data.decode("utf-8", "replace")))
        self._rpc, self._scope = True, None

    def answer_gap(self, offset: int, length: int) -> None:
        """Bytes of its body that are missing; length 0: nobody knows how many."""
        if self._reply:
            self._reply.miss(offset, length)
        if self._streaming:
            self._streaming.miss()
        elif self._reply:
            self._streaming = apis.AnswerStream(self.context.limits)
            self._streaming.miss()

    def answer_at_chunk(self) -> None:
        """Behind a gap: what comes now begins a chunk."""
        if self._reply:
            self._reply.at_chunk()

    def finish(self, *, offset: int | None, time: float, reason: str = "") -> list[Record]:
        """The answer is complete; or something ended it, which `reason` says."""
        out: list[Record] = [] if self.request_done else self.asked(offset=None, time=time)
        if self._answer:
            self._answer.end, self._answer.ended = offset, max(time, self._answer.ended)
        if self._reply:
            last = list(self._reply.finish())
            single = self._reply.splitter is None and len(last) == 1
            for event, value in last:
                out += self._take(event, value, single=single)
            self._extra += self._reply.body.reasons
        if reason:
            self._extra.append(f"answer: {reason}")
        return out + self._conclude(time)

    def _conclude(self, time: float) -> list[Record]:
        answered = self._answered or (self._streaming.answered() if self._streaming else None)
        if self._rpc:
            scope_ends = self._scope is not None
            return list(self._session.close("not seen", scope=self._scope, everything=False)) if scope_ends else []
        if not self._is_call(answered):
            return []
        if answered is None and (error := self._error()):
            answered = Answered(self._question.asked.api if self._question else "", error=error)
        elif answered is None and self._answer and not self._extra:
            self._extra.append("answer: no known shape")
        elif answered and not answered.ended and answered.error is None:
            self._extra.append("answer: its stream stopped before its end")
        if self._streaming and self._streaming.budget.over:
            self._extra.append("answer: body is over the limit")
        return list(llm.records(self._question, answered, self._seen(), self.context.redactor))

    def _error(self) -> str | None:
        return self._lost_error or (self._streaming.error if self._streaming else None)

    def _is_call(self, answered: Answered | None) -> bool:
        """A body in doubt needs an answer that agrees; a whole answer that does not is the proof against."""
        if answered:
            return True
        if self._question is None:
            return False
        return self._question.asked.certain or bool(self._extra) or self._path_agrees()

    def _path_agrees(self) -> bool:
        return apis.by_path(self._path) is not None or not self._answer or (self._status or 200) >= 400

    def _seen(self) -> llm.Seen:
        c = self.context
        request = self._request.span(c.client) if self._request else None
        answer = self._answer.span(OTHER[c.client]) if self._answer else None
        missing = () if self._request else ("request: not seen",)
        missing += () if self._answer else ("answer: not seen",)
        partial = tuple(dict.fromkeys((*missing, *self._extra)))
        trace = headers.trace(self._request_headers)
        own = headers.trace(self._answer_headers).ids
        known = dict(trace.ids)
        trace = type(trace)(trace.traceparent, trace.baggage, trace.ids + tuple(i for i in own if i[0] not in known))
        return llm.Seen(self.place, trace, request, answer, partial, self.inferred)

    def uncovered(self, what: str, reason: str) -> Uncovered:
        """What this exchange turned into, or is made of."""
        reach, side = (
            (self._answer, OTHER[self.context.client]) if self._answer else (self._request, self.context.client)
        )
        return Uncovered(self.place, what, reason, reach.span(side) if reach else None)


def _address_key(target: str) -> str:
    """An address, told from others and never kept: its query may be a session."""
    bare = headers.USERINFO.sub("", target.strip())
    return headers.hashed(bare.encode("utf-8", "surrogatepass"))
