"""Orders on the control socket from inside an observed container: refused, and a finding if they announce a change.

The socket asks for root or a group, and the root of a container is root where it has no user namespace and the socket is
mounted into it. A login shell is a workload too, to a sensor that observes the whole machine, and may order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from classifier.deploys.http import INSIDE, Bucket, Sink
from classifier.deploys.plain import BadDeploy, deploy
from classifier.deploys.senders import Senders
from classifier.store.store import NotNow
from wire.records import Deploy, Identity

RATE, BURST = 0.5, 30  # forgeries a second that become records, and at once


def turn_containers_away(app: web.Application, senders: Senders, sink: Sink, clock: Callable[[], float]) -> None:
    """Put the check before every order that changes something."""
    forgeries = Bucket(RATE, BURST)

    @web.middleware
    async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
        peer = request.transport and request.transport.get_extra_info("socket")
        if request.method == "GET" or peer is None:
            return await handler(request)
        found = await asyncio.to_thread(senders.container, peer)
        if found is None:
            return await handler(request)
        claim = _claim(request.path, await request.read(), clock(), found)
        if forgeries.take(clock()):
            await asyncio.to_thread(_tell, sink, claim, clock(), found)
        hint = "give the order from outside the container, and mount no socket of driftline into one"
        return web.json_response({"error": INSIDE, "hint": hint}, status=403)

    app.middlewares.append(guarded)


def _claim(path: str, body: bytes, now: float, sender: Identity) -> Deploy | None:
    """The change that it announced; None for other orders and for what says nothing."""
    if path != "/deploys":
        return None
    try:
        claimed = deploy(
            json.loads(body), source="cli", trust="none", received=now, actor=sender.workload or sender.path
        )
    except (BadDeploy, ValueError, RecursionError):
        return None
    return replace(claimed, trust="none", refused=INSIDE, sender=sender.replica)


def _tell(sink: Sink, claim: Deploy | None, now: float, sender: Identity) -> None:
    try:
        sink.refuse(now, "control", INSIDE, sender.workload or sender.path)
        if claim is not None:
            sink.enter(claim)
    except NotNow:  # it is refused whether or not that can be kept
        return
