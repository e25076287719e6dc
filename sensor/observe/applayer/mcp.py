"""JSON-RPC messages to MCP calls: both generations, with `initialize` and without, over any transport."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

from sensor.observe.applayer import headers
from sensor.observe.applayer.headers import Headers
from sensor.observe.applayer.limits import Health, Limits
from sensor.observe.applayer.records import ABSENT, Direction, Fact, McpCall, Place, Server, Span
from sensor.observe.applayer.talk import content, mapping, rows, string
from wire import digests
from wire.digests import ToolDefinition
from wire.redact import Redactor, Text

META = "io.modelcontextprotocol/"
FIRST_WITHOUT_INITIALIZE = "2026-07-28"
BATCH = 256  # messages of one batch that are read
UNANSWERED = 600.0  # seconds after which a request counts as never answered
NO_REQUEST = "request: not seen"


def is_rpc(value: Any) -> bool:
    """Whether a value is a JSON-RPC 2.0 message or a batch of them."""
    if isinstance(value, list):
        return bool(value) and all(is_rpc(v) for v in value[:BATCH] if not isinstance(v, list))
    return isinstance(value, dict) and value.get("jsonrpc") == "2.0" and bool(value.keys() & {"method", "id"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a message came."""

    place: Place
    transport: str
    by: Direction
    span: Span
    headers: Headers = headers.UNKNOWN
    scope: Hashable = None  # ids are unique in it; None: in the whole session
    partial: tuple[str, ...] = ()


class Session:
    """One client and one server: what was asked and not answered yet, and who the server says it is."""

    def __init__(self, limits: Limits, redactor: Redactor, health: Health) -> None:
        self._limits, self._redactor, self._health = limits, redactor, health
        self._pending: OrderedDict[tuple, McpCall] = OrderedDict()
        self._size = 0
        self.server: Fact[Server] = ABSENT
        self.generation: Fact[str] = ABSENT

    @property
    def held(self) -> int:
        """Bytes, roughly."""
        return self._size

    def take(self, value: Any, env: Envelope) -> list[McpCall]:
        """One message or a batch; the calls that are complete now."""
        if not isinstance(value, list):
            return self._one(value, env, 0)
        if len(value) > BATCH:
            self._health.dropped["batch"] += len(value) - BATCH
        return [call for message in value[:BATCH] for call in self._one(message, env, len(value))]

    def _one(self, message: Any, env: Envelope, batch: int) -> list[McpCall]:
        if not isinstance(message, dict):
            return []
        method = string(message.get("method"))
        if method is None:
            return self._answer(message, env, batch)
        call = self._request(method, message, env, batch)
        if call.id is None:
            return [call]
        key = (env.scope, env.by, call.id)
        out = [self._lost(gone, "answer: not seen, its id was used again")] if (gone := self._drop(key)) else []
        self._pending[key] = call
        self._size += _weight(call)
        while len(self._pending) > 1 and self._is_full():
            self._health.dropped["pending rpc"] += 1
            oldest = self._drop(next(iter(self._pending)))
            out += [self._lost(oldest, "answer: not waited for, too many at once")] if oldest else []
        return out

    def _is_full(self) -> bool:
        return len(self._pending) > self._limits.pending or self._size > self._limits.waiting // 4

    def _drop(self, key: tuple) -> McpCall | None:
        call = self._pending.pop(key, None)
        self._size -= _weight(call) if call else 0
        return call

    def _request(self, method: str, message: dict, env: Envelope, batch: int) -> McpCall:
        params = mapping(message.get("params"))
        meta = mapping(params.get("_meta"))
        self._learn_generation(method, meta, env.headers)
        is_tool = method == "tools/call"
        given = params.get("arguments", {}) if is_tool else {k: v for k, v in params.items() if k != "_meta"}
        return McpCall(
            place=env.place,
            transport=env.transport,
            method=self._redactor.label(method, 128),
            id=self._id(message),
            by=env.by,
            generation=self.generation,
            server=self.server,
            tool=self._redactor.label(params.get("name")) if is_tool else None,
            arguments=self._redactor.arguments(given, place=env.place) if given or is_tool else None,
            batch=batch,
            trace=headers.trace(env.headers, meta),
            request=env.span,
            partial=env.partial,
        )

    def _id(self, message: dict) -> str | None:
        value = message.get("id")
        if value is None or isinstance(value, bool | dict | list):
            return None
        return self._redactor.label(digests.canonical(value), 128)

    def _learn_generation(self, method: str, meta: dict, head: Headers) -> None:
        version = string(meta.get(META + "protocolVersion"))
        told = head.get("mcp-protocol-version")
        if method == "initialize":
            self.generation = Fact("initialize", "verified")
        elif version is not None:
            self.generation = Fact("meta", "verified")
        elif told and self.generation is ABSENT:
            self.generation = Fact("meta" if told >= FIRST_WITHOUT_INITIALIZE else "initialize", "inferred")

    def _answer(self, message: dict, env: Envelope, batch: int) -> list[McpCall]:
        if not message.keys() & {"result", "error"}:
            return []
        asker: Direction = "received" if env.by == "sent" else "sent"
        known = self._drop((env.scope, asker, self._id(message)))
        result, error = mapping(message.get("result")), mapping(message.get("error"))
        self._learn_server(known, result)
        call = known or McpCall(
            place=env.place,
            transport=env.transport,
            method="",
            id=self._id(message),
            by=asker,
            generation=self.generation,
            server=self.server,
            batch=batch,
            trace=headers.trace(env.headers),
            partial=(NO_REQUEST,),
        )
        return [
            replace(
                call,
                transport=env.transport,
                server=self.server,
                generation=self.generation,
                result=self._result(call, message, env.place),
                failed=result.get("isError") is True,
                error=self._error(error, env.place) if error else None,
                tools=self._tools(call, result),
                response=env.span,
                partial=tuple(dict.fromkeys((*call.partial, *env.partial))),
            )
        ]

    def _learn_server(self, known: McpCall | None, result: dict) -> None:
        told = mapping(mapping(result.get("_meta")).get(META + "serverInfo")) or mapping(result.get("serverInfo"))
        version = string(result.get("protocolVersion"))
        if "serverInfo" in result and version and (known is None or known.method == "initialize"):
            self.generation = Fact("initialize", "verified" if known else "inferred")
        if name := string(told.get("name")):
            protocol = version or (self.server.value.protocol if self.server.value else "")
            label = self._redactor.label
            server = Server(label(name, 128), label(told.get("version"), 64), label(protocol, 32))
            self.server = Fact(server, "self_reported")

    def _result(self, call: McpCall, message: dict, place: Place) -> Text | None:
        """Of a tool its words, as a model is told them; of all else the JSON."""
        if "result" not in message:
            return None
        result = mapping(message["result"])
        if call.tool is not None and isinstance(result.get("content"), list):
            said = content(result["content"]) or content(result.get("structuredContent"))
            return self._redactor.text(said, kind="tool_result", place=place)
        return self._redactor.arguments(message["result"], kind="result", place=place)

    def _error(self, error: dict, place: Place) -> tuple[int, Text]:
        code = error.get("code")
        text = self._redactor.text(string(error.get("message")) or "", kind="error", place=place)
        return (code if isinstance(code, int) and abs(code) < 2**53 else 0, text)

    def _tools(self, call: McpCall, result: dict) -> tuple[ToolDefinition, ...]:
        if call.method not in ("tools/list", ""):
            return ()
        listed = rows(result.get("tools"))[: self._limits.tools]
        return tuple(digests.tool(t, self._redactor.label(t.get("name"))) for t in listed)

    def overdue(self, time: float) -> list[McpCall]:
        """Requests that nobody answered."""
        late = [k for k, c in self._pending.items() if c.request and time - c.request.ended > UNANSWERED]
        return [self._lost(call, "answer: not seen") for k in late if (call := self._drop(k))]

    def close(self, reason: str, *, scope: Hashable = None, everything: bool = True) -> list[McpCall]:
        """Requests that can have no answer any more."""
        keys = [k for k in self._pending if everything or k[0] == scope]
        return [self._lost(call, f"answer: {reason}") for k in keys if (call := self._drop(k))]

    @staticmethod
    def _lost(call: McpCall, why: str) -> McpCall:
        return replace(call, partial=(*call.partial, why))


def _weight(call: McpCall) -> int:
    """Bytes that a waiting request costs, roughly."""
    return 1024 + (len(call.arguments.redacted) if call.arguments else 0)


class Sessions:
    """Sessions that span connections: by the digest of a session id, or of the address that old servers tell."""

    def __init__(self, limits: Limits, redactor: Redactor, health: Health) -> None:
        self._make = lambda: Session(limits, redactor, health)
        self._most, self._health = limits.sessions, health
        self._known: OrderedDict[tuple[Hashable, str], Session] = OrderedDict()
        self.displaced: list[McpCall] = []

    def new(self) -> Session:
        """A session that belongs to one connection."""
        return self._make()

    def get(self, owner: Hashable, key: str) -> Session:
        """The session of this key, made where there is none."""
        found = self._known.pop((owner, key), None) or self._make()
        self._known[(owner, key)] = found
        if len(self._known) > self._most:
            self._health.dropped["mcp session"] += 1
            self.displaced += self._known.popitem(last=False)[1].close("not waited for, too many sessions")
        return found

    def known(self, owner: Hashable, key: str) -> Session | None:
        """The session of this key, if there is one."""
        return self._known.get((owner, key))

    @property
    def held(self) -> int:
        """Bytes, roughly."""
        return sum(s.held for s in self._known.values())

    def overdue(self, time: float) -> list[McpCall]:
        """Unanswered requests of all sessions, and of those that were dropped."""
        gone, self.displaced = self.displaced, []
        return gone + [call for s in self._known.values() for call in s.overdue(time)]

    def close(self) -> list[McpCall]:
        """All that waits."""
        gone, self.displaced = self.displaced, []
        return gone + [call for s in self._known.values() for call in s.close("not seen")]
