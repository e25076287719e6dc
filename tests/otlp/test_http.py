"""Requests over HTTP: hostile senders are answered as the protocol says and get no more of anybody's time than others."""

from __future__ import annotations

import asyncio
import gzip
import json

import aiohttp
import pytest
from aiohttp import web
from google.rpc.status_pb2 import Status

from classifier.deploys.dials import Ends
from classifier.deploys.senders import Origin
from classifier.otlp import http as module
from classifier.otlp.http import LOOKS, STRANGE, Receiver
from classifier.otlp.intake import Intake, Refused
from classifier.otlp.replies import JSON, PROTOBUF
from classifier.settings import OtlpLimits
from classifier.store.store import NotNow
from tests.factories import identity, replica
from tests.otlp import golden
from tests.otlp.bodies import NOW, encoded, in_json, in_protobuf, log, logs, span, traces
from tests.otlp.test_conventions import Sink

CALL = traces(span(attributes=golden.NEW | {"gen_ai.input.messages": "hi"}))


class Kernel:
    """Names one sender for every connection, as the header of each test wants it."""

    def __init__(self, who=None, wrong=False):
        self.who, self.wrong = who, wrong

    def origin(self, ends):
        if self.wrong:
            raise OSError("no netlink")
        return Origin(7, "local", "127.0.0.1")

    def identity(self, origin):
        return self.who


class FullSink(Sink):
    full = True

    def accept(self, frames):
        if self.full:
            raise NotNow("disk full")
        return super().accept(frames)


def receiver(sink=None, kernel=None, clock=lambda: NOW, **limits):
    kernel = kernel or Kernel(identity())
    return Receiver(sink or Sink(), OtlpLimits(**limits), clock=clock, whose=kernel)


def served(made, talk):
    """What a client gets of a receiver."""

    async def run():
        runner = web.AppRunner(made().application(), access_log=None, auto_decompress=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
                return await talk(session, f"http://{host}:{port}")
        finally:
            await runner.cleanup()

    return asyncio.run(run())


async def post(session, url, body, media=JSON, path="/v1/traces", **headers):
    async with session.post(url + path, data=body, headers={"Content-Type": media} | headers) as answer:
        return answer.status, answer.headers, await answer.read()


def posted(body, media=JSON, path="/v1/traces", made=None, **headers):
    return served(made or receiver, lambda session, url: post(session, url, body, media, path, **headers))


def said(media, body):
    return json.loads(body)["message"] if media == JSON else Status.FromString(body).message


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_request_is_taken_and_answered_in_its_encoding(media, packed):
    sink, body = Sink(), encoded(CALL, media)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    status, answer, told = posted(
        gzip.compress(body) if packed else body, media, made=lambda: receiver(sink), **headers
    )
    assert (status, answer["Content-Type"], told) == (200, media, b"{}" if media == JSON else b"")
    assert [e.data["model_asked"] for e in sink.events] == ["gpt-5"] and sink.events[0].replica == replica()


class Sensor(Kernel):
    """A sender in another network namespace, of whose connection the sensor tells at the n-th look."""

    def __init__(self, at):
        super().__init__(None)
        self.at, self.looks = at, 0

    def origin(self, ends):
        return Origin(None, "neighbour", "10.0.0.9", Ends(("10.0.0.9", 1), ("10.0.0.1", 4318), 77))

    def neighbour(self, origin):
        self.looks += 1
        return identity() if self.looks >= self.at else None


@pytest.mark.parametrize(
    ("at", "statuses"),
    [
        pytest.param(1, [200, 200], id="told-before"),
        pytest.param(5, [200, 200], id="told-a-moment-later"),
        pytest.param(LOOKS + 1, [503, 200], id="told-before-the-second-try"),
        pytest.param(10**6, [503, 403, 403], id="never-told"),
    ],
)
def test_a_sender_of_another_network_namespace_waits_for_the_sensors_word(at, statuses, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.001)
    sensor, sink = Sensor(at), Sink()

    async def talk(session, url):
        return [(await post(session, url, in_json(CALL)))[0] for _ in statuses]

    assert served(lambda: receiver(sink, sensor), talk) == statuses
    assert {e.replica for e in sink.events} == ({replica()} if 200 in statuses else set())
    assert sensor.looks <= LOOKS + len(statuses), "once is enough for a connection of which nobody tells"


def test_log_records_have_a_route_of_their_own():
    sink = Sink()
    assert posted(in_json(golden.CLAUDE), path="/v1/logs", made=lambda: receiver(sink, clock=lambda: NOW))[0] == 200
    assert {e.kind for e in sink.events} == {"llm", "tool", "mcp"}


def test_what_could_not_be_taken_is_counted_in_the_answer():
    request = traces(span(id="x"), span(start=1, end=2, attributes=golden.NEW), span())
    told = json.loads(posted(in_json(request))[2])["partialSuccess"]
    assert told["rejectedSpans"] == "2" and "hexadecimal" in told["errorMessage"]


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
@pytest.mark.parametrize(
    ("body", "headers", "wanted", "words"),
    [
        pytest.param(b"\x0a\xff", {}, 400, "no", id="no-otlp"),
        pytest.param(b"x" * 70_000, {}, 413, "more than 65536 bytes", id="too-large"),
        pytest.param(gzip.compress(b"\0" * (1 << 20)), {"Content-Encoding": "gzip"}, 413, "unpacked", id="bomb"),
        pytest.param(b"no gzip", {"Content-Encoding": "gzip"}, 400, "no gzip", id="no-gzip"),
        pytest.param(b"", {"Content-Encoding": "br"}, 415, "not gzip", id="another-coding"),
    ],
)
def test_a_refusal_is_a_status_with_the_reason(media, body, headers, wanted, words):
    if media == PROTOBUF and wanted == 400:
        words = ""
    status, answer, told = posted(body, media, made=lambda: receiver(body=1 << 16), **headers)
    assert (status, answer["Content-Type"]) == (wanted, media) and words in said(media, told)


@pytest.mark.parametrize(
    ("path", "media", "wanted"),
    [
        pytest.param("/v1/metrics", PROTOBUF, 404, id="metrics"),
        pytest.param("/", JSON, 404, id="no-route"),
        pytest.param("/v1/traces", "text/plain", 415, id="another-type"),
    ],
)
def test_only_two_routes_and_two_types_are_known(path, media, wanted):
    status, _, told = posted(b"", media, path)
    assert status == wanted and said(PROTOBUF if media == PROTOBUF else JSON, told)


def test_a_sender_whom_the_kernel_does_not_name_is_refused_and_noted():
    sink = Sink()
    status, _, told = posted(in_json(CALL), made=lambda: receiver(sink, Kernel(None)))
    assert status == 403 and "no workload" in said(JSON, told)
    assert sink.events == [] and len(sink.refusals) == 1


def test_a_stranger_is_looked_for_again_after_a_while_and_not_at_once():
    kernel, asked, now = Kernel(None), [], [NOW]
    kernel.identity = lambda origin: asked.append(origin) or kernel.who

    async def talk(session, url):
        out = []
        for now[0], kernel.who in (
            (NOW, None),
            (NOW + 1, identity()),
            (NOW + STRANGE, identity()),
            (NOW + STRANGE, identity()),
        ):
            out.append((await post(session, url, b"{}"))[0])
        return out

    assert served(lambda: receiver(kernel=kernel, clock=lambda: now[0]), talk) == [403, 403, 200, 200]
    assert len(asked) == 3


def test_where_the_kernel_cannot_be_asked_nobody_is_believed():
    sink = Sink()
    status, headers, _ = posted(in_json(CALL), made=lambda: receiver(sink, Kernel(identity(), wrong=True)))
    assert (status, headers["Retry-After"]) == (503, "5") and sink.events == []


def test_who_asks_too_often_is_told_so():
    async def talk(session, url):
        return [(await post(session, url, b"{}"))[0] for _ in range(4)]

    assert served(lambda: receiver(rate=0.001, burst=2), talk) == [200, 200, 429, 429]


async def slow(go_on):
    yield b"{"
    await go_on.wait()
    yield b"}"


def test_a_body_that_does_not_come_ends_the_request():
    async def talk(session, url):
        return (await post(session, url, slow(asyncio.Event())))[0]

    assert served(lambda: receiver(timeout=0.1), talk) == 408


def test_a_slow_sender_holds_only_its_own_places():
    made = receiver(timeout=600.0, each=2)

    async def talk(session, url):
        go_on = asyncio.Event()
        held = [asyncio.create_task(post(session, url, slow(go_on))) for _ in range(2)]
        while made._under_way.total() < 2:
            await asyncio.sleep(0.01)
        refused = (await post(session, url, b"{}"))[0]
        go_on.set()
        return refused, [(await one)[0] for one in held]

    assert served(lambda: made, talk) == (503, [200, 200])


def test_events_that_the_store_cannot_take_wait_and_then_nothing_more_is_taken():
    sink = FullSink()
    made = receiver(sink, unwritten=2)
    requests = [
        traces(span(id=f"{n:016x}", attributes=golden.NEW | {"gen_ai.input.messages": "hi"})) for n in range(1, 5)
    ]

    async def talk(session, url):
        return [(await post(session, url, in_json(r)))[0] for r in requests]

    assert served(lambda: made, talk) == [200, 200, 503, 503] and sink.events == []
    sink.full = False
    made.intake.settle()
    assert len(sink.events) == 2 and made.told["unwritten"] == 0


def test_more_calls_than_a_replica_may_make_are_rejected_and_said():
    many = traces(*(span(id=f"{n:016x}", attributes=golden.NEW) for n in range(1, 9)))
    made = receiver(calls=0.001, calls_burst=5)
    told = json.loads(posted(in_json(many), made=lambda: made)[2])["partialSuccess"]
    assert told == {"rejectedSpans": "3", "errorMessage": "too many calls"}
    assert made.told["rejected: too many calls"] == 3


def test_more_bytes_than_a_replica_may_send_are_for_later():
    body = in_json(CALL | {"x": "y" * 200_000})
    made = Intake(Sink(), OtlpLimits(bytes=0.001, bytes_burst=400_000), clock=lambda: NOW)
    assert made.take("traces", JSON, body, "", identity()) == b"{}"
    with pytest.raises(Refused) as caught:
        made.take("traces", JSON, gzip.compress(body), "gzip", identity())
    assert caught.value.http == 429
    assert made.take("traces", JSON, body, "", identity(2)) == b"{}", "another replica has bytes of its own"


def test_what_was_received_is_counted():
    made = receiver()
    posted(in_protobuf(traces(span(attributes=golden.NEW), span(id="1" * 16))), PROTOBUF, made=lambda: made)
    posted(b"x", made=lambda: made)
    made.intake.settle(all_of_it=True)
    assert {k: made.told[k] for k in ("traces", "calls", "other", "llm", "refused: no JSON")} == {
        "traces": 1, "calls": 1, "other": 1, "llm": 1, "refused: no JSON": 1,
    }  # fmt: skip


def test_a_request_is_taken_whole_or_not_at_all():
    sink = Sink()
    made = Intake(sink, OtlpLimits(), clock=lambda: NOW)
    with pytest.raises(Refused):
        made.take("logs", JSON, in_json(logs(log("gen_ai.choice")))[:-3], "", identity())
    assert sink.events == [] and made.told["waiting"] == 0
