"""OTLP over HTTP: two routes, hostile callers.

| answer | when | in the stream |
|---|---|---|
| 200 | taken; `partialSuccess` counts what was no span, of another time, or too much | `llm`, `tool`, `mcp` events |
| 400, 413, 415 | no OTLP, too large or too dense, neither protobuf nor JSON, another coding than gzip | nothing |
| 403 | the kernel names no observed workload for the sender | nothing |
| 408, 429, 503 | too slow, too often, not now, or nobody has told whose connection it is | nothing; the sender tries again |
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import structlog
from aiohttp import web

from classifier.deploys.dials import Ends
from classifier.deploys.http import Bucket, ends_of
from classifier.deploys.senders import Origin
from classifier.otlp.intake import Intake, Refused, Sink
from classifier.otlp.replies import JSON, PROTOBUF, status
from classifier.settings import OtlpLimits
from wire.records import Identity

LOG = structlog.get_logger("driftline.classifier")
SENDERS = 4096  # whose rate is remembered
STRANGE = 5.0  # seconds for which a sender whom nobody knows is not looked for again: each look waits in a thread
LOOKS, LOOK = 40, 0.05  # times, and seconds between them, that a sensor's word is looked for
AGAIN = {"Retry-After": "5"}  # seconds
LATER = (408, 429, 503)


class Whose(Protocol):
    """Who sends; `classifier.deploys.senders.Senders` in the daemon."""

    def origin(self, ends: Ends) -> Origin: ...
    def identity(self, origin: Origin) -> Identity | None: ...
    def neighbour(self, origin: Origin) -> Identity | None: ...


class Receiver:
    """The receiver.

    Args:
        clock: seconds since the epoch.
        whose: tells who is at the other end of a connection.
    """

    def __init__(self, sink: Sink, limits: OtlpLimits, *, clock: Callable[[], float], whose: Whose):
        self.intake, self.refused = Intake(sink, limits, clock=clock), Counter[str]()
        self._sink, self._limits, self._clock, self._whose = sink, limits, clock, whose
        self._callers: OrderedDict[Hashable, Bucket] = OrderedDict()
        self._notes = Bucket(0.5, 10)
        self._strangers: OrderedDict[Hashable, float] = OrderedDict()  # → until when
        self._untold: OrderedDict[int, None] = OrderedDict()  # connections of which no sensor told in time
        self._under_way = Counter[Hashable]()
        self._turn = asyncio.Lock()  # one body at a time is unfolded

    def application(self) -> web.Application:
        """The two routes. Its site must leave bodies packed: `auto_decompress=False`."""
        app = web.Application(client_max_size=self._limits.body)
        app.add_routes([web.post("/v1/traces", self._traces), web.post("/v1/logs", self._logs)])
        app.add_routes([web.route("*", "/{any:.*}", self._elsewhere)])
        return app

    @property
    def told(self) -> dict[str, Any]:
        """Counts, for whoever asks how it goes."""
        return self.intake.told | {f"refused: {why}": n for why, n in sorted(dict(self.refused).items())}

    async def _traces(self, request: web.Request) -> web.Response:
        return await self._post(request, "traces")

    async def _logs(self, request: web.Request) -> web.Response:
        return await self._post(request, "logs")

    async def _elsewhere(self, request: web.Request) -> web.Response:
        return self._turn_away(
            _media(request) or JSON, Refused(404, "only POST to /v1/traces and /v1/logs is received")
        )

    async def _post(self, request: web.Request, signal: str) -> web.Response:
        media = _media(request)
        try:
            if media is None:
                raise Refused(415, f"neither {PROTOBUF} nor {JSON}")
            origin = await self._origin(request)
            with self._place(origin.cgroup or origin.address):
                reply = await self._taken(request, signal, media, origin)
        except Refused as e:
            return self._turn_away(media or JSON, e)
        except Exception:  # a fault of ours costs one request, and is counted
            LOG.exception("telemetry not taken")
            return self._turn_away(media or JSON, Refused(500, "a fault of the receiver"))
        return web.Response(body=reply, content_type=media)

    async def _origin(self, request: web.Request) -> Origin:
        try:
            origin = await asyncio.to_thread(self._whose.origin, ends_of(request))  # now: the other end may close
        except (OSError, ValueError):
            raise Refused(503, "the kernel does not tell who sends") from None
        if not self._caller(origin.cgroup or origin.address).take(self._clock()):
            raise Refused(429, "too many requests")
        return origin

    async def _taken(self, request: web.Request, signal: str, media: str, origin: Origin) -> bytes:
        coding = request.headers.get("content-encoding", "").strip().lower()
        try:
            data = await asyncio.wait_for(request.read(), self._limits.timeout)
        except web.HTTPRequestEntityTooLarge:
            raise Refused(413, f"more than {self._limits.body} bytes") from None
        except TimeoutError:
            raise Refused(408, "too slow") from None
        except (ConnectionError, web.RequestPayloadError):  # the sender left, or lies about its chunks
            raise Refused(400, "cut short") from None
        identity = await self._identity(origin)
        async with self._turn:
            return await asyncio.to_thread(self.intake.take, signal, media, data, coding, identity)

    async def _identity(self, origin: Origin) -> Identity | None:
        if origin.ends is not None:
            return await self._neighbour(origin, origin.ends.cookie)
        sender = origin.cgroup or origin.address
        if self._clock() < self._strangers.get(sender, 0.0):
            return None
        found = await asyncio.to_thread(self._whose.identity, origin)
        self._strangers.pop(sender, None)
        if found is None:
            self._strangers[sender] = self._clock() + STRANGE
            if len(self._strangers) > SENDERS:
                self._strangers.popitem(last=False)
        return found

    async def _neighbour(self, origin: Origin, connection: int) -> Identity | None:
        """Of another network namespace: the sensor tells of its connection, a moment after that stands. Waits in no thread."""
        for _ in range(LOOKS):
            if (found := self._whose.neighbour(origin)) is not None:
                return found
            if connection in self._untold:  # once is enough
                return None
            await asyncio.sleep(LOOK)
        self._untold[connection] = None
        if len(self._untold) > SENDERS:
            self._untold.popitem(last=False)
        raise Refused(503, "no sensor has told yet whose connection this is")

    @contextmanager
    def _place(self, sender: Hashable) -> Iterator[None]:
        """A place among the requests under way; few for each sender, so that a slow one does not hold them all."""
        if self.intake.full:
            raise Refused(503, "not kept fast enough")
        if self._under_way[sender] >= self._limits.each or self._under_way.total() >= self._limits.under_way:
            raise Refused(503, "too many requests under way")
        self._under_way[sender] += 1
        try:
            yield
        finally:
            self._under_way[sender] -= 1
            self._under_way = +self._under_way

    def _caller(self, sender: Hashable) -> Bucket:
        bucket = self._callers.pop(sender, None) or Bucket(self._limits.rate, self._limits.burst)
        self._callers[sender] = bucket
        if len(self._callers) > SENDERS:
            self._callers.popitem(last=False)
        return bucket

    def _turn_away(self, media: str, why: Refused) -> web.Response:
        self.refused[why.reason] += 1
        if why.http == 403 and self._notes.take(self._clock()):
            self._sink.refuse(self._clock(), "otlp", why.reason, "")
        headers = AGAIN if why.http in LATER else None
        return web.Response(
            status=why.http, body=status(media, why.http, why.reason), content_type=media, headers=headers
        )


def _media(request: web.Request) -> str | None:
    return request.content_type if request.content_type in (JSON, PROTOBUF) else None
