"""Who is believed, who is turned away, and how much of that enters the stream."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from classifier.deploys.dials import Ends
from classifier.deploys.http import Bucket, Intake
from classifier.deploys.senders import NEIGHBOUR, NOBODY, Origin, Sender, nowhere
from classifier.deploys.signing import Key, sign
from classifier.settings import HttpLimits
from classifier.store.store import NotNow
from tests.factories import SHOP, replica

NOW = 1_800_000_000.0
CI = Key("ci", ("lab/*",), b"0123456789abcdef0123456789abcdef")
TYPE = {"content-type": "application/cloudevents+json"}


class Sink:
    """What entered, in the place of the core."""

    def __init__(self, names=(SHOP,)):
        self.entered, self.refused, self._names, self.full = [], [], set(names), False

    def enter(self, record):
        if self.full:
            raise NotNow("disk full")
        known = not record.refused and any(r.id == record.id and not r.refused for r in self.entered)
        if not known:
            self.entered.append(record)
        return not known

    def refuse(self, time, source, reason, detail):
        self.refused.append((source, reason, detail))

    def names(self):
        return self._names


def event(workload=SHOP, **changes):
    values = {"specversion": "1.0", "id": "c1", "source": "/ci", "type": "dev.driftline.image"}
    return json.dumps(values | {"data": {"workload": workload}} | changes).encode()


class Known:
    """One sender, whoever asks."""

    origin = staticmethod(nowhere)

    def __init__(self, sender=NOBODY):
        self._sender = sender

    def sender(self, origin):
        return self._sender


def intake(sink, *, sender=NOBODY, clock=lambda: NOW, keys=(CI,), **limits):
    return Intake(sink, HttpLimits(**limits), keys, clock=clock, whose=Known(sender))


def take(door, body, headers=None, *, address="10.0.0.9"):
    signature = sign(CI, id="m1", time=NOW, body=body) if headers is None else headers
    answer = door.take(TYPE | signature, body, Origin(address=address))
    return answer.status, json.loads(answer.body)


def test_a_signed_event_enters_once():
    sink = Sink()
    door = intake(sink)
    told = {"id": "ci:/ci#c1", "workload": SHOP, "trust": "signed"}
    assert take(door, event()) == (200, told | {"duplicate": False})
    assert take(door, event()) == (200, told | {"duplicate": True})
    assert [(d.trust, d.refused, d.actor) for d in sink.entered] == [("signed", "", "ci")]


@pytest.mark.parametrize(
    ("headers", "workload", "status", "reason"),
    [
        pytest.param({}, SHOP, 401, "unsigned", id="unsigned"),
        pytest.param(sign(CI, id="m1", time=NOW, body=b"x"), SHOP, 401, "bad signature", id="bad"),
        pytest.param("old", SHOP, 401, "replayed", id="replayed"),
        pytest.param(None, "prod/x", 403, "key not for this workload", id="not-for-it"),
    ],
)
def test_what_is_not_believed_enters_as_refused(headers, workload, status, reason):
    sink, body = Sink(), event(workload)
    headers = sign(CI, id="m1", time=NOW - 9999, body=body) if headers == "old" else headers
    assert take(intake(sink), body, headers) == (status, {"error": reason})
    assert [(d.trust, d.refused, d.workload) for d in sink.entered] == [("none", reason, workload)]
    assert sink.refused == [("http", reason, f"10.0.0.9 {workload}")]


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        pytest.param(Sender(replica(7), SHOP), "sent by a workload", id="observed"),
        pytest.param(Sender(name="address:172.17.0.2", unknown=True), "sender unknown", id="unknown"),
    ],
)
def test_an_event_of_a_workload_has_no_weight_even_if_signed(sender, reason):
    sink = Sink()
    door = intake(sink, sender=sender)
    assert take(door, event()) == (401, {"error": reason})
    assert (sink.entered[0].sender, sink.entered[0].refused) == (sender.replica, reason)
    assert (sink.entered[0].trust, sink.refused[0][1]) == ("none", reason)
    take(door, event(), {})
    assert (sink.entered[1].sender, sink.entered[1].refused) == (sender.replica, "unsigned")


def test_a_key_may_name_observed_senders_that_it_is_for():
    sink = Sink()
    lent = replace(CI, senders=("unit:runner*",))
    assert take(intake(sink, keys=(lent,), sender=Sender(replica(7), "unit:runner.service")), event())[0] == 200
    assert take(intake(sink, keys=(lent,), sender=Sender(replica(7), "unit:agent.service")), event())[0] == 401


def test_a_refused_event_does_not_use_up_the_id_of_a_good_one():
    sink = Sink()
    door = intake(sink)
    take(door, event(), {})
    assert take(door, event())[1]["duplicate"] is False


def test_a_flood_of_forgeries_is_bounded_in_the_stream_and_in_the_store():
    sink = Sink()
    door = intake(sink, burst=5)
    for n in range(500):
        assert take(door, event(f"made/up/{n}"), {})[0] == 401
    assert len(sink.entered) == len(sink.refused) == 5
    assert door.refused["unsigned"] == 500


def test_made_up_workloads_are_few_and_known_ones_are_always_told():
    sink = Sink()
    door = intake(sink, burst=100, strangers=3)
    for n in range(10):
        take(door, event(f"made/up/{n}"), {})
    take(door, event(), {})
    assert [d.workload for d in sink.entered] == ["made/up/0", "made/up/1", "made/up/2", SHOP]


@pytest.mark.parametrize(
    ("body", "signed", "status"),
    [
        pytest.param(b"junk", True, 400, id="no-event-with-a-key"),
        pytest.param(b"junk", False, 401, id="no-event-without-a-key"),
        pytest.param(event(type="com.example.x"), True, 200, id="ignored-with-a-key"),
        pytest.param(event(type="com.example.x"), False, 401, id="ignored-without-a-key"),
    ],
)
def test_without_a_key_nobody_learns_what_would_have_been_right(body, signed, status):
    sink = Sink()
    answered, value = take(intake(sink), body, None if signed else {})
    assert answered == status and not sink.entered
    assert signed or value == {"error": "unsigned"}


def test_keys_may_be_replaced():
    sink = Sink()
    door = intake(sink)
    door.keys = ()
    assert take(door, event())[0] == 401


def test_a_bucket_fills_again_with_time_and_not_when_the_clock_goes_back():
    bucket = Bucket(2.0, 3)
    assert [bucket.take(t) for t in (10, 10, 10, 10, 9, 10.5, 10.5)] == [True, True, True, False, False, True, False]


# over a socket ----------------------------------------------------------------------------------------------------------


def served(door, talk):
    """What `talk(session, url)` returns against the running receiver."""

    async def main():
        runner = web.AppRunner(door.application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            async with aiohttp.ClientSession() as session:
                port = runner.addresses[0][1]
                return await talk(session, f"http://127.0.0.1:{port}/deploys")
        finally:
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(main(), 20))


async def status(session, url, body, headers):
    async with session.post(url, data=body, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        pytest.param(event(), {}, 200, id="good"),
        pytest.param(event(data={"workload": SHOP, "actor": "x" * 70_000}), {}, 413, id="too-large"),
        pytest.param(event(), {"Content-Encoding": "gzip"}, 415, id="compressed"),
        pytest.param(b"", {}, 400, id="empty"),
    ],
)
def test_requests_are_bounded_before_they_are_read(body, headers, wanted):
    signed = TYPE | sign(CI, id="m1", time=NOW, body=body) | headers

    async def talk(session, url):
        return await status(session, url, body, signed)

    assert served(intake(Sink()), talk) == wanted


def test_an_address_that_asks_too_often_is_told_so():
    async def talk(session, url):
        return [await status(session, url, b"", {}) for _ in range(6)]

    assert served(intake(Sink(), burst=4), talk) == [401, 401, 401, 401, 429, 429]


def test_a_body_that_does_not_come_ends_the_request():
    async def slow():
        yield b"{"
        await asyncio.sleep(5)

    async def talk(session, url):
        return await status(session, url, slow(), TYPE)

    assert served(intake(Sink(), timeout=0.2), talk) == 408


def test_a_full_store_asks_the_sender_to_come_again():
    sink = Sink()
    sink.full = True

    async def talk(session, url):
        return await status(session, url, event(), TYPE | sign(CI, id="m1", time=NOW, body=event()))

    assert served(intake(sink), talk) == 503


@pytest.mark.parametrize(
    "senders", ["local/runners/*", "address:172.17.0.9"], ids=["by-its-workload", "by-its-address"]
)
def test_a_container_that_the_sensor_told_of_may_use_a_key_by_either_name(senders):
    sink = Sink()
    sender = Sender(replica(7), "local/runners/Deployment/ci/ci")
    door = intake(sink, sender=sender, keys=(replace(CI, senders=(senders,)),))
    origin = Origin(None, NEIGHBOUR, "172.17.0.9", Ends(("172.17.0.9", 1), ("172.17.0.1", 80), 7))
    answer = door.take(TYPE | sign(CI, id="m1", time=NOW, body=event()), event(), origin)
    assert (answer.status, [d.refused for d in sink.entered]) == (200, [""])
