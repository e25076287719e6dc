"""Decoders behind sockets: deploy events, orders on the control socket, telemetry. The real servers, asked over a unix socket.

A server may refuse whatever it gets; an answer of 500 is a fault of ours, and so is a server that is silent afterwards.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import random
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from classifier.control import Control
from classifier.deploys.folder import Folder
from classifier.deploys.http import Intake
from classifier.deploys.inside import _claim
from classifier.deploys.signing import SIGNATURE, Key, Refused, _signatures, sign, verify
from classifier.otlp.http import Receiver
from classifier.otlp.telemetry import Broken, TooMuch
from classifier.otlp.translating import translate
from classifier.settings import HttpLimits, OtlpLimits
from tests.factories import SHOP, identity
from tests.fuzz.damage import damaged, json_or_bytes, mutated
from tests.fuzz.decoder import Decoder, folder, tempfolder
from tests.otlp import golden
from tests.otlp.bodies import MEDIA, NOW, encoded, log, logs, span, traces
from tests.otlp.test_conventions import Sink as Telemetry
from tests.otlp.test_encodings import MOST, READ, VALUES
from tests.otlp.test_http import Kernel
from wire import codec

CI = Key("ci", ("*",), secret=b"a secret of the ci system")
EVENT = {
    "specversion": "1.0",
    "id": "c1",
    "source": "/ci",
    "type": "dev.driftline.image",
    "time": "2026-11-21T10:00:00Z",
}
CDEVENT = {
    "context": {"version": "0.4.1", "id": "x", "source": "/cd", "type": "dev.cdevents.service.deployed.0.1.1"},
    "subject": {
        "id": SHOP,
        "type": "service",
        "content": {"artifactId": "pkg:oci/cart@sha256%3Aab12?repository_url=r"},
    },
    "customData": {"driftline": {"workload": SHOP, "scope": ["egress:*"]}},
}
ORDERS = {
    "deploys": {"workload": SHOP, "kind": "image", "revision": "r2", "scope": ["egress:*"], "time": 5.0, "id": "a"},
    "triage": {"finding": "f", "decision": "accept", "note": "it is fine", "actor": "me"},
    "pins": {"workload": SHOP, "what": "class", "value": "coding", "note": "n"},
}
STRUCTURED = {"content-type": "application/cloudevents+json"}
LARGE = {"rate": 1e9, "burst": 10**9}  # a fuzzer is a flood, and would be turned away


class Call(NamedTuple):
    """One request; headers are made anew for the body it has in the end."""

    path: str
    body: bytes
    headers: dict[str, str]
    signed: bool = False


class Sink:
    """Keeps nothing, but only takes what could be kept."""

    def enter(self, record: Any) -> bool:
        assert codec.decode(codec.encode(record)) == record
        return True

    def refuse(self, time: float, source: str, reason: str, detail: str) -> None:
        assert len(reason) < 200 and len(detail) < 10_000
        (reason + detail).encode()  # it goes into a text column

    def names(self) -> set[str]:
        return {SHOP}

    def has_finding(self, triage: Any) -> bool:
        return True

    def told(self, view: Any) -> Any:
        return {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *a: []


class Served:
    """An application on a unix socket of this process, with a loop of its own."""

    def __init__(self, name: str, app: web.Application):
        self._loop, self._path = asyncio.new_event_loop(), str(folder() / f"{name}.sock")
        self._faults: list[str] = []
        log = logging.getLogger(f"fuzz.{name}")
        log.propagate = False
        log.addHandler(_Keeper(self._faults))
        runner = web.AppRunner(app, access_log=None, logger=log, handle_signals=False, auto_decompress=False)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.UnixSite(runner, self._path).start())

    def ask(self, data: bytes, *, whole: bool) -> int:
        """The status of the answer; 0 for none. What is not whole is followed by the end of the connection."""
        return self._loop.run_until_complete(asyncio.wait_for(self._talk(data, whole), 60.0))

    async def _talk(self, data: bytes, whole: bool) -> int:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(data)
            if not whole:
                writer.write_eof()
            answer = await reader.read(1 << 22)
        except ConnectionError:  # it was turned away before it had said all
            answer = b""
        finally:
            writer.close()
        faults, self._faults[:] = list(self._faults), []
        status = int(answer[9:12]) if answer[:5] == b"HTTP/" else 0
        assert status != 500 and not faults, f"status {status}: {faults[:1]}"
        return status


class _Keeper(logging.Handler):
    def __init__(self, faults: list[str]):
        super().__init__(logging.ERROR)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, BadHttpMessage):  # aiohttp logs what is no HTTP, and answers 400
            self._faults.append("".join(traceback.format_exception(error)[-3:]))


SERVED: dict[str, Served] = {}


def served(name: str, make: Callable[[], web.Application]) -> Served:
    """The server of a decoder, begun with its first round in this process."""
    if name not in SERVED:
        SERVED[name] = Served(name, make())
    return SERVED[name]


def request(call: Call) -> bytes:
    headers = dict(call.headers)
    if call.signed:
        headers |= sign(CI, id="m1", time=NOW, body=call.body)
    lines = [f"POST {call.path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(call.body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + call.body


def in_chunks(call: Call) -> bytes:
    """The same request with a body that comes in chunks."""
    head = (
        request(call)
        .partition(b"\r\n\r\n")[0]
        .replace(b"Content-Length: %d" % len(call.body), b"Transfer-Encoding: chunked")
    )
    parts = [call.body[at : at + 40] for at in range(0, len(call.body), 40)]
    return head + b"\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def harmed(rng: random.Random, whole: Call) -> Call | bytes:
    """A body of another shape under a good head; at times damage anywhere in the request."""
    luck = rng.random()
    if luck < 0.2:
        return damaged(rng, request(whole) if luck < 0.1 else in_chunks(whole))
    try:
        body = json.dumps(mutated(rng, json.loads(whole.body))).encode() if luck < 0.8 else damaged(rng, whole.body)
    except ValueError:  # no JSON: protobuf, gzip
        body = damaged(rng, whole.body)
    headers = {k: _header(rng, v) for k, v in whole.headers.items()}
    return whole._replace(body=body, headers=headers, signed=whole.signed and rng.random() < 0.8)


def _header(rng: random.Random, value: str) -> str:
    if rng.random() > 0.05:
        return value
    text = damaged(rng, value.encode()).decode("latin-1")
    return "".join(c for c in text if c.isprintable())


def posted(name: str, make: Callable[[], web.Application]) -> Callable[[Call | bytes], None]:
    def read(case: Call | bytes) -> None:
        whole = not isinstance(case, bytes)
        status = served(name, make).ask(request(case) if isinstance(case, Call) else case, whole=whole)
        assert status or not whole, "no answer"

    return read


# deploy events ----------------------------------------------------------------------------------------------------------


def deploy_events() -> list[Call]:
    own = json.dumps(EVENT | {"data": {"workload": SHOP, "revision": "r2", "scope": ["egress:*"]}}).encode()
    theirs = json.dumps(EVENT | {"type": CDEVENT["context"]["type"], "data": CDEVENT}).encode()
    binary = {f"ce-{k}": v for k, v in EVENT.items()} | {"content-type": "application/json"}
    data = json.dumps({"workload": SHOP, "kind": "image"}).encode()
    calls = [Call("/deploys", own, STRUCTURED, True), Call("/deploys", theirs, STRUCTURED, True)]
    return [*calls, Call("/deploys", data, binary, True), Call("/deploys", own, STRUCTURED)]


def intake() -> web.Application:
    return Intake(Sink(), HttpLimits(**LARGE, refused_rate=1e9), (CI,), clock=lambda: NOW).application()


def signatures() -> list[bytes]:
    rows = sign(CI, id="m1", time=NOW, body=b"body")
    return ["\n".join(f"{k}: {v}" for k, v in rows.items()).encode()]


def read_signature(data: bytes) -> None:
    """No other headers than the signer's are believed."""
    rows = dict(line.partition(": ")[::2] for line in data.decode("latin-1").split("\n"))
    other = Key("other", ("*",), public=bytes(range(32)))
    found = verify(rows, b"body", (other, CI), now=NOW, tolerance=300)
    told = sign(CI, id=found.id, time=found.time, body=b"body")
    assert set(_signatures(told[SIGNATURE])) <= set(_signatures(rows[SIGNATURE]))


def dropped_files() -> list[bytes]:
    return [json.dumps(ORDERS["deploys"]).encode(), json.dumps([ORDERS["deploys"]] * 3).encode()]


def read_dropped(data: bytes) -> None:
    with tempfolder() as path:
        path.chmod(0o755)
        (path / "a.json").write_bytes(data)
        os.chmod(path / "a.json", 0o644)
        drop = Folder(path, (os.getuid(),))
        for found in drop.scan(NOW * 2):
            for one in found.deploys:
                assert codec.decode(codec.encode(one)) == one
            drop.settle(found)
        assert not list(path.glob("*.json"))
    _claim("/deploys", data, NOW, identity())


# the control socket -----------------------------------------------------------------------------------------------------


def orders() -> list[Call]:
    return [
        Call(f"/{path}", json.dumps(body).encode(), {"content-type": "application/json"})
        for path, body in ORDERS.items()
    ]


def control() -> web.Application:
    return Control(Sink(), lambda: NOW, dict).application()


# telemetry --------------------------------------------------------------------------------------------------------------


def requests_of(media: str) -> list[tuple[str, bytes]]:
    told = golden.NEW | {
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])
    }
    ours = traces(span(attributes=told), span(attributes=VALUES, events=[("e", VALUES)]), resource=VALUES)
    return [
        ("traces", encoded(ours, media)),
        ("logs", encoded(logs(log("gen_ai.choice", VALUES, attributes=VALUES), log()), media)),
    ]


def exported() -> list[tuple[str, bytes]]:
    """Bodies made by us, and those of real exporters."""
    folder = Path(__file__).parents[1] / "otlp/exports"
    return requests_of(PROTOBUF_MEDIA) + [(p.name.split(".")[1], p.read_bytes()) for p in sorted(folder.glob("*.pb"))]


def harmed_body(rng: random.Random, whole: tuple[str, bytes]) -> tuple[str, bytes]:
    signal, data = whole
    return signal, json_or_bytes(rng, data) if data[:1] == b"{" else damaged(rng, data)


def reads(media: str) -> Callable[[tuple[str, bytes]], None]:
    def read(case: tuple[str, bytes]) -> None:
        translate(READ[media, case[0]](case[1], MOST), NOW)

    return read


def telemetry() -> list[Call]:
    calls = []
    for media in MEDIA:
        for signal, body in requests_of(media):
            calls.append(Call(f"/v1/{signal}", body, {"content-type": media}))
            calls.append(
                Call(f"/v1/{signal}", gzip.compress(body), {"content-type": media, "content-encoding": "gzip"})
            )
    return calls


class Quiet(Telemetry):
    """Takes events and forgets them: a run must not grow."""

    def accept(self, frames: Any) -> int:
        for frame in frames:
            codec.decode(frame.data)
        return len(frames)


def receiver() -> web.Application:
    limits = OtlpLimits(**LARGE, calls=1e9, calls_burst=10**9, bytes=1 << 50, bytes_burst=1 << 50, wait=0.0)
    return Receiver(Quiet(), limits, clock=lambda: NOW, whose=Kernel(identity())).application()


JSON_MEDIA, PROTOBUF_MEDIA = MEDIA
DECODERS = (
    Decoder("deploy-events", deploy_events, posted("deploy-events", intake), (), harmed),
    Decoder("signatures", signatures, read_signature, (Refused,)),
    Decoder("deploy-files", dropped_files, read_dropped, (), json_or_bytes),
    Decoder("control", orders, posted("control", control), (), harmed),
    Decoder("otlp-json", lambda: requests_of(JSON_MEDIA), reads(JSON_MEDIA), (Broken, TooMuch), harmed_body),
    Decoder("otlp-protobuf", exported, reads(PROTOBUF_MEDIA), (Broken, TooMuch), harmed_body),
    Decoder("otlp-http", telemetry, posted("otlp-http", receiver), (), harmed),
)  # fmt: skip
