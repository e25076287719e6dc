"""What the agent of the breach talks to: ticket desk, customer records, bucket, knowledge base, and a model behind TLS.

Real servers on addresses of the demo's own network namespace; the desk sets the pace. The bucket speaks as much of S3 as a
put needs. What is played is the model: see `script.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from console.demo import peers
from console.demo.breach import script

RESOLVER = "10.77.1.53"
DESK, CRM, BUCKET, KB, MODEL = (
    f"{name}.acme.internal" for name in ("desk", "crm", "acme-weekly-export.s3", "kb", "model")
)
HOSTS = {name: f"10.77.1.{number}" for number, name in enumerate((DESK, CRM, BUCKET, KB, MODEL), 10)}
ADDRESSES = [RESOLVER, *HOSTS.values()]
CUSTOMERS = 2400
FULL, CONTACT = (6_000, 20_000), 2_050  # bytes of a record, and of the part of it that a bulk read asks for
EXPORT = 18_000_000  # bytes of all records, compressed
PACE = 0.5  # seconds from one ticket to the next
QUESTIONS = (
    "Where is my parcel? It was due on Monday.",
    "I was charged twice for the same order.",
    "How do I change the address of my account?",
    "The discount code of your mail does not work.",
    "Please send me last month's invoice again.",
)


@dataclass
class Town:
    """What the peers know and have seen."""

    open: bool = False  # tickets are given out
    jobs: deque[dict[str, object]] = field(default_factory=deque)  # go before tickets
    begun: float = 0.0  # seconds since the epoch: the first byte of the last put to `exports/tmp`
    written: int = 0  # bytes of it, once it has ended
    reads: int = 0  # records that were given to bulk reads
    number: itertools.count[int] = field(default_factory=lambda: itertools.count(88_001))
    due: float = 0.0

    def next(self) -> dict[str, object] | None:
        """The next job or ticket that is due."""
        if self.jobs:
            return self.jobs.popleft()
        if not self.open or time.monotonic() < self.due:
            return None
        self.due = time.monotonic() + PACE * random.uniform(0.6, 1.4)
        return self.ticket(random.choice(QUESTIONS))

    def ticket(self, text: str) -> dict[str, object]:
        return {"id": f"ZD-{next(self.number)}", "customer": random.randrange(CUSTOMERS), "text": text}


def serve(town: Town, folder: Path) -> None:
    """Starts every peer in threads of this process, in the network namespace that it is in."""
    threading.Thread(target=peers.name_server, args=(RESOLVER, HOSTS), daemon=True).start()
    ready = threading.Event()
    threading.Thread(target=lambda: asyncio.run(_run(town, folder, ready)), daemon=True).start()
    if not ready.wait(30):
        raise RuntimeError("the peers did not start")


async def _run(town: Town, folder: Path, ready: threading.Event) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(peers.certificate(folder, MODEL))
    for name, application in _applications(town).items():
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        secure = context if name == MODEL else None
        await web.TCPSite(runner, HOSTS[name], 443 if secure else 80, ssl_context=secure).start()
    ready.set()
    await asyncio.Event().wait()


def _applications(town: Town) -> dict[str, web.Application]:
    async def give(_: web.Request) -> web.Response:
        end = time.monotonic() + 20
        while (found := town.next()) is None and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return web.json_response(found or {})

    async def take(request: web.Request) -> web.Response:
        return web.json_response({"stored": len(await request.read())})

    async def record(request: web.Request) -> web.Response:
        town.reads += "fields" in request.query
        size = CONTACT if "fields" in request.query else random.randint(*FULL)
        number = request.match_info["number"]
        return web.json_response({"account": number, "name": f"Customer {number}", "notes": "x" * size})

    async def everything(_: web.Request) -> web.Response:
        return web.Response(body=random.randbytes(1 << 20) * (EXPORT >> 20))

    async def articles(_: web.Request) -> web.Response:
        return web.json_response({"articles": ["How to return a parcel", "Invoices", "Codes and discounts"]})

    async def put(request: web.Request) -> web.Response:
        begun, digest, size = time.time(), hashlib.md5(usedforsecurity=False), 0  # noqa: TID251 (held against a clock of others)
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
        if request.match_info["key"].startswith("exports/tmp"):
            town.begun, town.written = begun, size
        return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    async def complete(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for chunk in script.stream(asked):
            await answer.write(b"data: " + chunk + b"\n\n")
        await answer.write_eof()
        return answer

    routes = {
        DESK: [web.get("/next", give), web.post("/tickets/{id}/reply", take)],
        CRM: [web.get("/accounts/{number}", record), web.get("/export", everything)],
        BUCKET: [web.put("/{key:.+}", put)],
        KB: [web.get("/search", articles)],
        MODEL: [web.post("/v1/chat/completions", complete)],
    }
    made = {}
    for name, handlers in routes.items():
        made[name] = web.Application(client_max_size=1 << 26)
        made[name].add_routes(handlers)
    return made
