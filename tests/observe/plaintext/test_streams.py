"""Chunks become records; what is missing between, behind and around them is told as a gap of the right size."""

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.records import LlmCall
from sensor.observe.plaintext import streams
from sensor.observe.plaintext.streams import Streams
from sensor.probes.tls import CLOSED, DATA, RECEIVED, SENT, WHOLE, Chunk
from tests.observe.applayer import wires

ASK = wires.ask("openai-chat")
ANSWER = wires.answer(wires.fixture("openai-chat", "answer.json"))


def chunk(data=b"", direction=SENT, offset=0, **changes):
    values = {"time": 10**9, "cgroup": 7, "ssl": 0x5000, "born": 1, "received": 0, "pid": 40, "tid": 40, "kind": DATA}
    return Chunk(**(values | {"direction": direction, "offset": offset, "flags": WHOLE, "data": data} | changes))


def end(sent, received, **changes):
    return chunk(kind=CLOSED, offset=sent, received=received, **changes)


@pytest.fixture
def made():
    decoder = Decoder()
    return Streams(decoder, lambda ns: ns / 1e9), decoder


def feed(stream, *chunks):
    return [r for c in chunks for r in stream.feed(c)]


def calls(records):
    return [r for r in records if isinstance(r, LlmCall)]


def test_a_call_and_its_answer_are_one_record_with_the_connection_as_its_place(made):
    stream, decoder = made
    told = feed(stream, chunk(ASK), chunk(ANSWER, RECEIVED), end(len(ASK), len(ANSWER)))
    (call,) = calls(told)
    assert call.partial == ()
    assert call.place.connection == (7, 40, 0x5000, 1)
    assert decoder.health.lost == 0
    assert len(stream) == 0
    assert stream.http == {40}


def test_a_hole_between_two_chunks_is_a_gap_of_its_size(made):
    stream, decoder = made
    told = feed(stream, chunk(ASK[:200]), chunk(ASK[300:], offset=300), chunk(ANSWER, RECEIVED))
    told += stream.feed(end(len(ASK), len(ANSWER)))
    assert decoder.health.lost == 100
    assert all(c.partial for c in calls(told))


def test_what_is_missing_behind_the_last_chunk_is_told_at_the_end(made):
    stream, decoder = made
    feed(stream, chunk(ASK), end(len(ASK), len(ANSWER)))
    assert decoder.health.lost == len(ANSWER)


def test_what_is_missing_behind_the_last_chunk_of_an_open_connection_is_told_after_a_doubt(made):
    stream, decoder = made
    feed(stream, chunk(ASK))
    stream.doubt(7, lambda pid, ssl, born: (len(ASK), 500))
    stream.doubt(8, lambda pid, ssl, born: pytest.fail("of another workload"))
    feed(stream, chunk(ANSWER[:300], RECEIVED))
    stream.resolve(2 * 10**9)
    assert decoder.health.lost == 200
    stream.resolve(2 * 10**9)
    assert decoder.health.lost == 200, "once"


def test_an_address_that_is_used_again_is_another_connection(made):
    stream, _ = made
    told = feed(
        stream,
        chunk(ASK),
        chunk(ANSWER, RECEIVED),
        chunk(ASK, born=2),
        chunk(ANSWER, RECEIVED, born=2),
        end(0, 0, born=2),
    )
    assert [c.place.connection.born for c in calls(told)] == [1, 2]
    assert len(stream) == 0


def test_one_address_in_two_processes_is_two_connections(made):
    stream, _ = made
    told = feed(stream, chunk(ASK), chunk(ASK, pid=41), chunk(ANSWER, RECEIVED), chunk(ANSWER, RECEIVED, pid=41))
    told += stream.ended(40, 2 * 10**9) + stream.ended(41, 2 * 10**9)
    assert sorted(c.place.connection.pid for c in calls(told)) == [40, 41]


def test_a_process_that_ends_ends_its_connections(made):
    stream, _ = made
    told = feed(stream, chunk(ASK)) + stream.ended(40, 2 * 10**9)
    assert len(calls(told)) == 1
    assert (len(stream), stream.http) == (0, set())


def test_a_connection_that_was_joined_begins_in_its_middle(made):
    stream, _ = made
    joined = {"flags": 0}
    told = feed(stream, chunk(b'lf": 1}}' + ASK, **joined), chunk(b"rest" + ANSWER, RECEIVED, **joined), end(0, 0))
    assert len(calls(told)) == 1


def test_connections_are_bounded(made, monkeypatch):
    monkeypatch.setattr(streams, "CONNECTIONS", 4)
    stream, _ = made
    for number in range(10):
        stream.feed(chunk(b"GET ", ssl=number))
    assert len(stream) == 4
    assert stream.given_up == 6
