"""Reads of pipes become MCP calls, each once, in whatever pieces; what is missing is told, what is no MCP is left alone."""

import pytest

from sensor.observe.stdio import streams
from sensor.observe.stdio.streams import REST
from sensor.probes.stdio import LEFT, SPOKEN
from tests.observe.applayer.test_mcp import over_pipe
from tests.observe.stdio.pipes import CLIENT, SERVER, TO_CLIENT, TO_SERVER, Pipes, essence, kernel_lane, lines, rpc

GENERATIONS = ["initialize", "meta"]
INITIALIZE = rpc("initialize", 0, params={"protocolVersion": "2025-06-18", "capabilities": {}})
WELCOME = rpc(id=0, result={"protocolVersion": "2025-06-18", "serverInfo": {"name": "files", "version": "1"}})
CALL = rpc("tools/call", 1, params={"name": "read", "arguments": {"path": "/a"}})
RESULT = rpc(id=1, result={"content": [{"type": "text", "text": "words"}]})


def conversation(pipes, generation, cut=None):
    for lane, line in lines(generation):
        pipes.read(lane, line, cut)
    pipes.end(TO_SERVER)
    pipes.end(TO_CLIENT)


@pytest.mark.parametrize("cut", [None, 1, 7, 64, 4096])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_conversation_over_two_pipes_is_what_the_decoder_makes_of_it_whatever_the_pieces(generation, cut):
    pipes = Pipes()
    conversation(pipes, generation, cut)
    assert pipes.told() == [essence(c) for c in over_pipe(f"{generation}.lines")]
    assert pipes.decoder.health.failed == pipes.decoder.health.lost == 0
    assert pipes.streams.links == []
    assert len(pipes.streams) == 0


def test_a_call_names_client_and_server(generation="initialize"):
    pipes = Pipes()
    conversation(pipes, generation)
    place = pipes.calls[0].place
    assert (place.connection.cgroup, place.connection.pid, place.connection.peer) == (1, CLIENT, SERVER)
    assert place.role == "client"
    assert {c.by for c in pipes.calls if c.method == "tools/call"} == {"sent"}
    assert {c.by for c in pipes.calls if c.method == "sampling/createMessage"} == {"received"}


def test_a_lane_is_vouched_for_once_its_first_line_looks_right_and_not_before():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE[:9])
    assert pipes.judge.said == {}
    pipes.read(TO_SERVER, INITIALIZE[9:])
    assert pipes.judge.said == {TO_SERVER: SPOKEN}


def test_a_long_first_line_is_waited_for_once_it_looks_right():
    pipes = Pipes()
    line = rpc("tools/call", 1, params={"name": "write", "arguments": {"text": "x" * (3 << 20)}})
    pipes.read(TO_SERVER, line[:70_000], 4096)
    assert pipes.judge.said == {TO_SERVER: SPOKEN}
    pipes.read(TO_SERVER, line[70_000:], 65536)
    pipes.read(TO_CLIENT, RESULT)
    (call,) = pipes.calls
    assert call.arguments.length > 3 << 20
    assert call.partial == ()


def test_words_before_the_first_message_are_passed_over():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(TO_CLIENT, b"Server is listening on stdio\n[2026] ready\n" + WELCOME, 11)
    assert [c.server.value.name for c in pipes.calls] == ["files"]
    assert pipes.calls[0].partial == ()


def test_what_the_kernel_passed_over_before_the_verdict_is_no_loss():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.lose(TO_CLIENT, 333)
    pipes.read(TO_CLIENT, WELCOME)
    assert [(c.method, c.partial) for c in pipes.calls] == [("initialize", ())]
    assert pipes.decoder.health.lost == 0


def test_a_hole_is_a_gap_of_its_size_and_costs_only_the_lines_that_it_touches():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(TO_CLIENT, WELCOME)
    pipes.lose(TO_SERVER, 1000)
    pipes.read(TO_SERVER, b"rest of a line\n" + CALL)
    pipes.read(TO_CLIENT, RESULT)
    assert pipes.decoder.health.lost == 1000
    assert [(c.method, c.tool, c.partial) for c in pipes.calls][1:] == [("tools/call", "read", ())]


def test_what_was_lost_behind_the_last_read_is_asked_of_the_kernel():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.judge.lanes[TO_SERVER] = kernel_lane(len(INITIALIZE) + 400)
    pipes.streams.doubt(1)
    assert pipes.decoder.health.lost == 0
    assert pipes.streams.resolve(pipes.clock) == []
    assert pipes.decoder.health.lost == 400
    pipes.lose(TO_SERVER, 400)
    pipes.read(TO_SERVER, CALL)
    assert pipes.decoder.health.lost == 400


@pytest.mark.parametrize(
    "text",
    [b'{"level": "info", "at": 1}\n', b"[1, 2]\n", b"{\n", b"\n \n{}\n", b'{"jsonrpc": "1.0", "id": 1}\n'],
    ids=["json-logs", "lists", "open-brace", "blank", "other-version"],
)
def test_lines_that_are_no_json_rpc_are_left_alone_for_good(text):
    pipes = Pipes()
    pipes.read(TO_SERVER, text * 100, 50)
    assert pipes.judge.said[TO_SERVER] == LEFT
    pipes.read(TO_SERVER, INITIALIZE)
    assert pipes.records == []
    (lane,) = pipes.streams.left
    assert "no JSON-RPC in its first 65 lines" in lane.reason
    assert pipes.streams.counters.left == 1


def test_bytes_that_are_no_text_are_left_alone_at_once():
    pipes = Pipes()
    pipes.read(TO_SERVER, b"{" + bytes(4000))
    assert pipes.judge.said == {TO_SERVER: LEFT}
    assert [x.reason for x in pipes.streams.left] == ["its bytes are no text"]


def test_what_the_kernel_leaves_alone_is_said_too():
    pipes = Pipes()
    pipes.read(TO_SERVER, b"{" * 100)
    pipes.leave(TO_SERVER)
    assert [x.reason for x in pipes.streams.left] == [
        "no JSON-RPC in its first bytes: 16 MiB, or 64 KiB that do not look like it"
    ]


def test_a_lane_that_was_faster_than_the_verdict_is_taken_back():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.judge.said.clear()
    pipes.leave(TO_SERVER)
    assert pipes.judge.said == {TO_SERVER: SPOKEN}
    assert pipes.streams.left == []


def test_two_servers_of_one_client_are_kept_apart():
    pipes = Pipes({CLIENT: 1, SERVER: CLIENT, 201: CLIENT})
    other = {"reader": 201, "writer": CLIENT}, {"reader": CLIENT, "writer": 201}
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(8001, INITIALIZE, **other[0])
    pipes.read(8002, WELCOME.replace(b"files", b"mails"), **other[1])
    pipes.read(TO_CLIENT, WELCOME)
    told = [(c.server.value.name, c.place.connection.peer) for c in pipes.calls]
    assert told == [("mails", 201), ("files", SERVER)]


def test_a_server_that_is_a_client_too_has_two_conversations():
    pipes = Pipes({CLIENT: 1, SERVER: CLIENT, 300: SERVER})
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(8001, INITIALIZE, reader=300, writer=SERVER)
    pipes.read(8002, WELCOME.replace(b"files", b"inner"), reader=SERVER, writer=300)
    pipes.read(TO_CLIENT, WELCOME)
    told = [(c.server.value.name, c.place.connection.pid, c.place.connection.peer) for c in pipes.calls]
    assert told == [("inner", SERVER, 300), ("files", CLIENT, SERVER)]


@pytest.mark.parametrize("asks,tells", [(150, CLIENT), (CLIENT, 150)], ids=["writer", "reader"])
def test_a_clients_forked_helper_may_write_or_read_for_it(asks, tells):
    pipes = Pipes({CLIENT: 1, SERVER: CLIENT, 150: CLIENT})
    pipes.read(TO_SERVER, INITIALIZE, writer=asks)
    pipes.read(TO_CLIENT, WELCOME, reader=tells)
    assert [(c.method, c.partial) for c in pipes.calls] == [("initialize", ())]


def test_a_servers_forked_helper_may_write_for_it():
    pipes = Pipes({CLIENT: 1, SERVER: CLIENT, 250: SERVER})
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(TO_CLIENT, WELCOME, writer=250)
    assert [(c.method, c.partial) for c in pipes.calls] == [("initialize", ())]


def test_one_socketpair_carries_both_directions():
    pipes = Pipes({})
    pipes.read(TO_SERVER, INITIALIZE, mate=TO_CLIENT, writer=0)
    pipes.read(TO_CLIENT, WELCOME, mate=TO_SERVER, writer=0)
    assert [(c.method, c.partial) for c in pipes.calls] == [("initialize", ())]


def test_the_writer_is_asked_for_where_its_write_returned_after_the_read():
    pipes = Pipes()
    pipes.judge.lanes[TO_SERVER] = kernel_lane(10)
    pipes.read(TO_SERVER, INITIALIZE, writer=0)
    assert pipes.streams.links[0].key.pid == CLIENT


def test_requests_that_nobody_answers_before_the_end_are_told():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE + CALL)
    pipes.end(TO_SERVER)
    assert pipes.calls == []
    pipes.records += pipes.streams.expire(pipes.clock + REST + 1, lambda pid: True)
    assert [(c.method, c.partial) for c in pipes.calls] == [
        ("initialize", ("answer: the connection ended before it",)),
        ("tools/call", ("answer: the connection ended before it",)),
    ]
    assert pipes.streams.links == []


def test_a_server_that_dies_in_the_middle_of_a_line_ends_the_conversation():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(TO_CLIENT, WELCOME)
    pipes.read(TO_SERVER, CALL)
    pipes.read(TO_CLIENT, RESULT[:20])
    pipes.end(TO_CLIENT)
    pipes.records += pipes.streams.expire(pipes.clock + REST + 1, lambda pid: pid == CLIENT)
    assert [(c.tool, c.result, c.partial) for c in pipes.calls][1:] == [
        ("read", None, ("answer: the connection ended before it",))
    ]
    assert len(pipes.streams) == 0


def test_processes_that_are_gone_end_their_conversation_without_a_word():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(9000, b"{", reader=400)
    pipes.records += pipes.streams.expire(pipes.clock, lambda pid: False)
    pipes.records += pipes.streams.expire(pipes.clock + REST + 1, lambda pid: False)
    assert [c.method for c in pipes.calls] == ["initialize"]
    assert len(pipes.streams) == 0


def test_an_answer_that_comes_late_is_waited_for_while_the_other_half_goes_on():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE + CALL)
    pipes.read(TO_CLIENT, WELCOME)
    pipes.end(TO_SERVER)
    pipes.clock += REST // 2
    pipes.read(TO_CLIENT, rpc("notifications/message", params={}))
    assert pipes.streams.expire(pipes.clock + REST - 1, lambda pid: True) == []
    pipes.read(TO_CLIENT, RESULT)
    assert [c.partial for c in pipes.calls] == [(), (), ()]


def test_a_pipe_that_gets_the_number_of_an_ended_one_is_another_conversation():
    pipes = Pipes()
    for _ in range(2):
        pipes.offsets.clear()
        conversation(pipes, "initialize")
    half = len(pipes.calls) // 2
    assert pipes.told()[:half] == pipes.told()[half:]


def test_a_lane_that_the_kernel_forgot_goes_on_as_the_same_conversation():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(TO_CLIENT, WELCOME)
    pipes.judge.said.clear()
    pipes.offsets.clear()
    pipes.read(TO_SERVER, CALL, born=6)
    pipes.read(TO_CLIENT, RESULT, born=7)
    assert pipes.judge.said == {TO_SERVER: SPOKEN, TO_CLIENT: SPOKEN}
    assert [(c.tool, c.server.value.name, c.partial) for c in pipes.calls][1:] == [("read", "files", ())]


def test_a_conversation_that_was_there_before_is_joined_where_it_is():
    pipes = Pipes()
    pipes.read(TO_SERVER, CALL, 9)
    pipes.read(TO_CLIENT, RESULT, 9)
    assert [(c.tool, c.server.value, c.partial) for c in pipes.calls] == [("read", None, ())]


def test_no_more_lanes_are_followed_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(streams, "LANES", 10)
    pipes = Pipes()
    for n in range(50):
        pipes.read(9000 + n, b'{"a": ', reader=400 + n, writer=0)
    assert len(pipes.streams) == 10
    assert pipes.streams.counters.given_up == 40


def test_bytes_that_wait_for_a_verdict_are_bounded(monkeypatch):
    monkeypatch.setattr(streams, "HELD", 1 << 20)
    pipes = Pipes()
    for n in range(40):
        pipes.read(9000 + n, b"{" + b" " * 70_000, 65536, reader=400 + n, writer=0)
    assert sum(lane.waiting for lane in pipes.streams.undecided) < 1 << 21


def test_forgetting_a_workload_ends_what_it_had():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    pipes.read(9000, b"{", reader=400)
    told = pipes.streams.forget(1, pipes.clock)
    assert [c.method for c in told] == ["initialize"]
    assert len(pipes.streams) == 0
    assert pipes.streams.links == []
