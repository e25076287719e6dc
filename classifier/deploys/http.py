"""Signed deploy events over HTTP: one route, hostile callers.

| answer | when | in the stream |
|---|---|---|
| 200 | believed; ``duplicate: true`` the second time; ``ignored`` for types that change nothing | a Deploy, once |
| 400, 413, 415, 429 | no CloudEvent, too large, compressed or a batch, too often | nothing |
| 401 | no or a bad signature, replayed, sent by a workload, sender unknown | a Deploy with `refused` |
| 403 | the key does not speak for this workload | a Deploy with `refused` |
| 503 | the store cannot keep it now | nothing; the sender tries again |
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from aiohttp import web

from classifier.deploys.cloudevent import NotOurs, Read, read, to_deploy
from classifier.deploys.dials import Ends
from classifier.deploys.plain import BadDeploy
from classifier.deploys.senders import NOBODY, Origin, Sender, nowhere
from classifier.deploys.signing import Key, Refused, Signed, verify
from classifier.deploys.timeline import concerns
from classifier.settings import HttpLimits
from classifier.store.store import NotNow
from wire.records import Deploy, Record

CALLERS = 4096  # addresses whose rate is remembered
SO_COOKIE = 57
STALE = "stale timestamp"
DENIED = {"key not for this workload": 403}
INSIDE, UNKNOWN = "sent by a workload", "sender unknown"


class Sink(Protocol):
    """Where events go; `classifier.core.Core` in the daemon."""

    def enter(self, record: Record) -> bool: ...
    def refuse(self, time: float, source: str, reason: str, detail: str) -> None: ...
    def names(self) -> set[str]: ...


class Whose(Protocol):
    """Who sends; `classifier.deploys.senders.Senders` in the daemon."""

    def origin(self, ends: Ends) -> Origin: ...
    def sender(self, origin: Origin) -> Sender: ...


class Nobody:
    """Takes every sender for another machine, where the kernel is not asked."""

    def origin(self, ends: Ends) -> Origin:
        return nowhere(ends)

    def sender(self, origin: Origin) -> Sender:
        return NOBODY


@dataclass
class Bucket:
    """So many at once, then so many per second."""

    rate: float
    burst: float
    level: float = 0.0
    last: float = 0.0  # seconds

    def take(self, now: float) -> bool:
        """Whether one more fits.

        >>> bucket = Bucket(1.0, 2)
        >>> [bucket.take(t) for t in (0, 0, 0, 1)]
        [True, True, False, True]
        """
        self.level = max(0.0, self.level - max(0.0, now - self.last) * self.rate)
        self.last = max(self.last, now)
        if self.level + 1 > self.burst:
            return False
        self.level += 1
        return True


class Intake:
    """The receiver.

    Args:
        keys: whose signatures count; may be replaced while it runs.
        clock: seconds since the epoch.
        whose: tells who is at the other end of a connection.
    """

    def __init__(
        self,
        sink: Sink,
        limits: HttpLimits,
        keys: Sequence[Key],
        *,
        clock: Callable[[], float],
        whose: Whose | None = None,
    ):
        self.keys, self.refused = keys, Counter[str]()
        self._sink, self._limits, self._clock, self._whose = sink, limits, clock, whose or Nobody()
        self._callers: OrderedDict[str, Bucket] = OrderedDict()
        self._forgeries = Bucket(limits.refused_rate, limits.burst)
        self._notes = Bucket(limits.refused_rate, limits.burst)
        self._strangers: set[str] = set()

    def application(self) -> web.Application:
        """The one route."""
        app = web.Application(client_max_size=self._limits.body)
        app.add_routes([web.post("/deploys", self._post)])
        return app

    async def _post(self, request: web.Request) -> web.Response:
        ends = ends_of(request)
        address = ends.peer[0]
        if not self._caller(address).take(self._clock()):
            return self._turn_away(429, "too many requests", address)
        if request.headers.get("content-encoding", "identity") != "identity":
            return self._turn_away(415, "compressed", address)
        try:
            origin = await asyncio.to_thread(self._whose.origin, ends)  # now: the other end may close before we answer
            body = await asyncio.wait_for(request.read(), self._limits.timeout)
        except web.HTTPRequestEntityTooLarge:
            return self._turn_away(413, "too large", address)
        except TimeoutError:
            return self._turn_away(408, "too slow", address)
        except (ConnectionError, web.RequestPayloadError):  # the sender left, or lies about its chunks
            return self._turn_away(400, "cut short", address)
        except (OSError, ValueError) as e:  # the kernel does not tell: better no event than a workload's
            return _answer(503, {"error": f"cannot tell who sends: {e!s:.100}"}, {"Retry-After": "5"})
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            return await asyncio.to_thread(self.take, headers, body, origin)
        except NotNow as e:
            return _answer(503, {"error": f"not kept: {e}"}, {"Retry-After": "5"})

    def take(self, headers: Mapping[str, str], body: bytes, origin: Origin) -> web.Response:
        """Judge one request.

        Raises:
            NotNow: It could not be kept; nothing happened.
        """
        now, address = self._clock(), origin.address
        try:
            signed: Signed | str = verify(headers, body, self.keys, now=now, tolerance=self._limits.tolerance)
        except Refused as e:
            signed = str(e)
        try:
            event = read(headers, body)
            if isinstance(signed, str):
                return self._refuse(self._claimed(event, now), signed, self._whose.sender(origin), address)
            return self._believe(event, signed, now, origin)
        except NotOurs as e:
            return _answer(200, {"ignored": str(e)}) if not isinstance(signed, str) else self._deny(signed, address)
        except BadDeploy as e:
            # Who has no key learns nothing about what would have been right.
            return self._deny(signed, address) if isinstance(signed, str) else self._turn_away(400, str(e), address)

    def _believe(self, event: Read, signed: Signed, now: float, origin: Origin) -> web.Response:
        # Ids of two senders never meet, so none can use up the other's.
        key, sender = signed.key.name, self._whose.sender(origin)
        deploy = to_deploy(event, trust="signed", received=now, prefix=f"{key}:", actor=key, signed=signed)
        if not signed.key.speaks_for(deploy.workload):
            return self._refuse(deploy, "key not for this workload", sender, origin.address)
        names = {sender.name} | ({f"address:{origin.address}"} if origin.ends is not None else set())
        if sender.name and not any(map(signed.key.is_used_by, names)):
            return self._refuse(deploy, UNKNOWN if sender.unknown else INSIDE, sender, origin.address)
        new = self._sink.enter(deploy)
        return _answer(200, {"id": deploy.id, "workload": deploy.workload, "trust": "signed", "duplicate": not new})

    def _claimed(self, event: Read, now: float) -> Deploy:
        return to_deploy(event, trust="none", received=now)

    def _refuse(self, deploy: Deploy, reason: str, sender: Sender, address: str) -> web.Response:
        """Turn it away, and let the stream know as far as a flood of them may."""
        if reason == STALE:
            reason = "replayed"  # under a good signature, so it was sent once before or kept back
        if self._may_enter(deploy):
            actor = deploy.actor or address
            self._sink.enter(replace(deploy, trust="none", refused=reason, sender=sender.replica, actor=actor))
        return self._deny(reason, address, f"{deploy.workload} {sender.name}".strip())

    def _may_enter(self, deploy: Deploy) -> bool:
        """Whether a forgery becomes a record: each costs memory, and its sender needs no key for it."""
        if not self._forgeries.take(self._clock()):
            return False
        if any(concerns(deploy, name) for name in self._sink.names()) or deploy.workload in self._strangers:
            return True
        if len(self._strangers) >= self._limits.strangers:
            return False
        self._strangers.add(deploy.workload)
        return True

    def _deny(self, reason: str, address: str, detail: str = "") -> web.Response:
        return self._turn_away(DENIED.get(reason, 401), "replayed" if reason == STALE else reason, address, detail)

    def _turn_away(self, status: int, reason: str, address: str, detail: str = "") -> web.Response:
        counted = reason if status != 400 else "no deploy event"
        self.refused[counted] += 1
        if status in (401, 403) and self._notes.take(self._clock()):
            self._sink.refuse(self._clock(), "http", reason, f"{address} {detail}".strip())
        return _answer(status, {"error": reason})

    def _caller(self, address: str) -> Bucket:
        bucket = self._callers.pop(address, None) or Bucket(self._limits.rate, self._limits.burst)
        self._callers[address] = bucket
        if len(self._callers) > CALLERS:
            self._callers.popitem(last=False)
        return bucket


def ends_of(request: web.Request) -> Ends:
    """Both ends of the connection that a request came on."""

    def end(which: str) -> tuple[str, int]:
        name: Any = request.transport and request.transport.get_extra_info(which)
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)

    ours = request.transport and request.transport.get_extra_info("socket")
    return Ends(end("peername"), end("sockname"), _cookie(ours) if ours is not None else 0)


def _cookie(ours: Any) -> int:
    """The kernel's number of a socket; 0 where it does not say."""
    try:
        return int.from_bytes(ours.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)
    except OSError:  # closed meanwhile
        return 0


def _answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(value, status=status, headers=headers)
