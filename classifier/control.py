"""Questions, marks and triage over a unix socket: HTTP with JSON, for root, our own user and one group.

Every answer is computed in a thread, so a large envelope does not keep the watchdog waiting. A refusal is
``{"error": …, "hint": …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from classifier.classes import view as classes
from classifier.classes.pinning import pin
from classifier.core import Core
from classifier.deploys.plain import BadDeploy, deploy, text
from classifier.deploys.plain import note as note_of
from classifier.drift.finding import finding_to_dict
from classifier.inventory import view as inventory
from classifier.store.store import NotNow
from classifier.tracks import view as tracks
from wire.receiver import credentials
from wire.records import Triage

BODY = 1 << 20  # bytes of an order
SO_PEERGROUPS = 59
DIGEST = re.compile(r"[0-9a-f]{64}")
DECISIONS = ("accept", "adopt", "reject", "dismiss", "risky")  # risky: what reject was called
REASONED = ("accept", "adopt", "reject", "risky")  # somebody will ask later why


class Control:
    """The handlers.

    Args:
        clock: seconds since the epoch, for what is entered here.
        health: the rest of what /health answers.
        note: writes who is about to read what into the audit trail and gives the row's id; None: no trail is kept.
    """

    def __init__(
        self,
        core: Core,
        clock: Callable[[], float],
        health: Callable[[], dict[str, Any]],
        group: int | None = None,
        note: Callable[[dict[str, Any]], str | None] = lambda told: None,
    ):
        self._core, self._clock, self._health, self._group, self._note = core, clock, health, group, note

    def application(self) -> web.Application:
        """The routes, behind the check of who asks."""
        app = web.Application(client_max_size=BODY, middlewares=[self._guarded])
        app.add_routes(
            [
                web.get("/health", self._get_health),
                web.get("/findings", self._findings),
                web.get("/findings/{id}/versions", self._one(self._core.versions, "finding")),
                web.get("/findings/{id}/replicas", self._one(self._core.beside, "finding")),
                web.get("/findings/{id}/chain", self._one(self._core.chain, "finding")),
                web.get("/findings/{id}", self._one(self._core.finding, "finding")),
                web.get("/workloads", self._workloads),
                web.get("/envelopes/{id:.+}", self._one(self._core.envelope, "workload")),
                web.get("/classes", self._told(classes.listed)),
                web.get("/classes/{id:.+}", self._one(self._about(classes.one), "workload")),
                web.get("/baselines/{id}", self._one(self._about(classes.shared), "class")),
                web.get("/tracks", self._told(tracks.listed)),
                web.get("/tracks/{id:.+}", self._one(self._about(tracks.one), "workload")),
                web.get("/inventory", self._told(inventory.listed)),
                web.get("/inventory/{id:.+}", self._one(self._about(inventory.one), "workload")),
                web.post("/pins", self._pin),
                web.get("/deploys", self._deploys),
                web.get("/events/{id:.+}", self._one(self._event, "event")),
                web.post("/deploys", self._mark),
                web.post("/triage", self._triage),
                web.post("/originals", self._original),
            ]
        )
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        uid = self._asking(request)
        if uid is None:
            return refusal(403, "not allowed to ask this classifier", "run it as root")
        request["uid"] = uid
        try:
            return await handler(request)
        except BadDeploy as e:
            return refusal(400, str(e), "correct that field; --help names them all")
        except NotNow as e:
            return refusal(503, f"not kept: {e}", "free some room; ask again then")
        except web.HTTPException as e:
            return refusal(e.status, f"{request.method} {request.path[:200]}: {e.reason}", "")
        except (ConnectionError, web.RequestPayloadError):  # the other end left, or lies about its chunks
            return refusal(400, "the request was cut short", "ask again")

    def _asking(self, request: web.Request) -> int | None:
        """The user at the other end, if it may ask."""
        peer = request.transport and request.transport.get_extra_info("socket")
        if peer is None:
            return None
        _, uid, gid = credentials(peer)
        allowed = uid in (0, os.getuid()) or (self._group is not None and self._group in (gid, *_groups(peer)))
        return uid if allowed else None

    # questions ------------------------------------------------------------------------------------------------------

    async def _get_health(self, request: web.Request) -> web.Response:
        return answer(await asyncio.to_thread(self._health))

    async def _findings(self, request: web.Request) -> web.Response:
        label, workload = request.query.get("label"), request.query.get("workload")
        found = await asyncio.to_thread(self._core.findings)
        wanted = [f for f in found if label in (None, f.label) and workload in (None, f.workload)]
        return answer([finding_to_dict(f) for f in wanted])

    async def _workloads(self, request: web.Request) -> web.Response:
        return answer([asdict(w) for w in await asyncio.to_thread(self._core.workloads)])

    async def _deploys(self, request: web.Request) -> web.Response:
        workload = request.query.get("workload")
        found = await asyncio.to_thread(self._core.deploys)
        return answer([asdict(d) for d in found if workload in (None, d.workload)])

    def _event(self, id: str) -> dict[str, Any] | None:
        found = self._core.event(id)
        return None if found is None else asdict(found)

    def _one(self, ask: Callable[[str], Any], what: str) -> Any:
        async def handler(request: web.Request) -> web.Response:
            id = request.match_info["id"]
            found = await asyncio.to_thread(ask, id)
            if not found:
                return refusal(404, f"no {what} {id[:200]}", f'see "driftline {what} list"')
            return answer(found)

        return handler

    def _told(self, view: Callable[[Any], Any]) -> Any:
        async def handler(request: web.Request) -> web.Response:
            return answer(await asyncio.to_thread(self._core.told, view))

        return handler

    def _about(self, view: Callable[[Any, str], Any]) -> Callable[[str], Any]:
        """A view of one thing as a question about its name."""
        return lambda id: self._core.told(lambda known: view(known, id))

    # orders ---------------------------------------------------------------------------------------------------------

    async def _mark(self, request: web.Request) -> web.Response:
        actor = f"uid:{request['uid']}"
        event = deploy(await _json(request), source="cli", trust="local", received=self._clock(), actor=actor)
        new = await asyncio.to_thread(self._core.enter, event)
        return answer(asdict(event) | {"duplicate": not new})

    async def _pin(self, request: web.Request) -> web.Response:
        order = pin(await _json(request), time=self._clock(), actor=f"uid:{request['uid']}")
        await asyncio.to_thread(self._core.enter, order)
        return answer(asdict(order))

    async def _triage(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if not isinstance(body, dict):
            raise BadDeploy("a decision is an object with a finding and a decision")
        note = note_of(body)
        decision = text(body, "decision", required=True)
        if decision not in DECISIONS:
            raise BadDeploy(f"decision is one of {', '.join(DECISIONS)}")
        actor = text(body, "actor") or f"uid:{request['uid']}"
        triage = Triage(self._clock(), text(body, "finding", required=True), decision, actor, note)
        if not await asyncio.to_thread(self._core.has_finding, triage):
            return refusal(404, f"no finding {triage.finding}", 'see "driftline finding list"')
        if decision in REASONED and not note.strip():
            raise BadDeploy(f"{decision} needs a note that says why")
        await asyncio.to_thread(self._core.enter, triage)
        return answer(asdict(triage))

    async def _original(self, request: web.Request) -> web.Response:
        """Somebody is about to read a whole text; the answer is the row that says so."""
        body = await _json(request)
        if not isinstance(body, dict):
            raise BadDeploy("a request is an object with a digest and a reason")
        told = {name: text(body, name, required=True) for name in ("digest", "workload", "node", "text", "reason")}
        if not DIGEST.fullmatch(told["digest"]):
            raise BadDeploy("digest is 64 hexadecimal characters")
        if body.get("to") not in ("screen", "copy"):
            raise BadDeploy("to is one of screen, copy")
        told |= {"to": body["to"], "actor": text(body, "actor") or f"uid:{request['uid']}", "uid": request["uid"]}
        row = await asyncio.to_thread(self._note, told)
        if row is None:
            return refusal(409, "no audit trail is kept, so nothing may be opened", "set audit.keep to true")
        return answer({"row": row})


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as e:
        raise BadDeploy(f"the body is no JSON: {e!s:.100}") from e


def answer(value: Any, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.json_response(value, status=status)


def refusal(status: int, error: str, hint: str) -> web.Response:
    """Why something was not done."""
    return answer({"error": error, "hint": hint}, status)


def _groups(peer: socket.socket) -> tuple[int, ...]:
    """Supplementary groups of the other end; none where the kernel is too old to say."""
    try:
        data = peer.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 1024)
    except OSError:
        return ()
    return struct.unpack(f"{len(data) // 4}I", data)
