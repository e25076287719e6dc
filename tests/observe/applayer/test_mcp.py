"""MCP of both generations over pipes, HTTP and event streams."""

import json

import pytest

from sensor.observe.applayer.decoder import Decoder
from sensor.observe.applayer.limits import Limits
from sensor.observe.applayer.records import McpCall
from tests.observe.applayer.wires import FIXTURES, answer, ask, calls, fixture, request, run

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def rows(name):
    """Direction and message of a fixture."""
    return [
        ("sent" if r[:1] == b">" else "received", r[2:]) for r in (FIXTURES / "mcp" / name).read_bytes().splitlines()
    ]


def over_pipe(name, *, kind="stdio", **how):
    """Records of a fixture as a pipe carries it."""
    d, at, out = Decoder(), {"sent": 0, "received": 0}, []
    d.open("p", kind=kind, **how)
    for n, (direction, line) in enumerate(rows(name)):
        out += d.data("p", direction, at[direction], line + b"\n", float(n))
        at[direction] += len(line) + 1
    assert d.health.failed == 0
    return out + d.close("p", 99.0)


def over_http(name, *, sse, headers=(), answer_headers=()):
    """Records of a fixture, a POST for each message; the server's own messages are left out."""
    messages = rows(name)
    d, out, sent_at, received_at = Decoder(), [], 0, 0
    for n, (direction, line) in enumerate(messages):
        if direction == "received" or "result" in json.loads(line):
            continue
        sent = request("/mcp", line, headers=headers)
        back = next((m for w, m in messages[n + 1 :] if w == "received" and "method" not in json.loads(m)), b"")
        if "id" not in json.loads(line):
            received = answer(b"", status=202)
        elif sse:
            received = answer(
                b"event: message\ndata: " + back + b"\n\n", "text/event-stream", chunks=20, headers=answer_headers
            )
        else:
            received = answer(back, headers=answer_headers)
        out += d.data("c", "sent", sent_at, sent, float(n)) + d.data("c", "received", received_at, received, n + 0.5)
        sent_at, received_at = sent_at + len(sent), received_at + len(received)
    assert d.health.failed == 0
    return out + d.close("c", 99.0)


def test_a_pipe_tells_the_whole_conversation():
    out = over_pipe("initialize.lines")
    assert [(c.method, c.id, c.by) for c in out] == [
        ("initialize", "0", "sent"),
        ("notifications/initialized", None, "sent"),
        ("tools/list", "1", "sent"),
        ("notifications/progress", None, "received"),
        ("tools/call", '"two"', "sent"),
        ("tools/call", "3", "sent"),
        ("sampling/createMessage", "1", "received"),
    ]
    assert all(isinstance(c, McpCall) and c.transport == "stdio" and c.partial == () for c in out)


def test_the_server_names_itself_and_that_is_all_it_is():
    out = over_pipe("initialize.lines")
    server = out[0].server
    assert (server.value.name, server.value.version, server.value.protocol) == ("tickets", "0.9.1", "2025-06-18")
    assert server.basis == "self_reported"
    assert all(c.server == server for c in out)
    assert out[0].generation.value == "initialize" and out[0].generation.basis == "verified"


def test_a_tool_call_has_arguments_and_result_and_trace():
    call = over_pipe("initialize.lines")[4]
    assert call.tool == "lookup_ticket" and call.arguments.redacted == '{"id":"ZD-88213"}'
    assert call.result.redacted == "The customer asks for an export." and not call.failed
    assert call.trace.traceparent == PARENT
    assert call.request.direction == "sent" and call.response.direction == "received"
    assert call.request.ended < call.response.began


def test_an_error_is_told_with_its_code():
    call = over_pipe("initialize.lines")[5]
    assert call.error[0] == -32602 and call.error[1].redacted == "id is missing" and call.result is None


def test_the_arguments_of_a_model_and_of_mcp_have_one_digest():
    """That is how a model's tool call is tied to the server that ran it."""
    (call,) = calls(run(ask("openai-chat"), answer(fixture("openai-chat", "answer.json"))))
    assert call.calls[0].arguments.digest == over_pipe("initialize.lines")[4].arguments.digest


def test_listed_tools_are_hashed_whole():
    listed = over_pipe("initialize.lines")[2].tools
    assert [t.name for t in listed] == ["lookup_ticket", "close_ticket"]
    assert listed[0].digest == over_pipe("meta.lines")[1].tools[0].digest


def test_without_initialize_the_server_is_known_by_its_meta():
    out = over_pipe("meta.lines")
    assert [c.method for c in out] == ["server/discover", "tools/list", "tools/call"]
    assert {c.generation.value for c in out} == {"meta"} and {c.generation.basis for c in out} == {"verified"}
    assert {c.server.value.version for c in out} == {"1.0.0"}
    assert out[2].failed and out[2].trace.traceparent == PARENT
    assert out[2].trace.baggage == (("session.id", "s-1"),)


@pytest.mark.parametrize("sse", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("name", ["initialize.lines", "meta.lines"])
def test_http_tells_the_same_as_a_pipe(name, sse):
    def story(records):
        own = [c for c in records if c.by == "sent"]
        return [(c.method, c.id, c.tool, c.arguments, c.result, c.error, c.tools, c.failed, c.partial) for c in own]

    head = [("Mcp-Session-Id", "s1")]
    out = over_http(name, sse=sse, headers=head if name.startswith("init") else (), answer_headers=head)
    assert story(out) == story(over_pipe(name))
    assert out[0].transport == ("sse" if sse else "http")


def test_stateless_http_of_the_new_generation_needs_no_session():
    out = over_http("meta.lines", sse=True)
    assert [c.partial for c in out] == [(), (), ()] and out[2].server.value.name == "tickets"


def test_a_session_spans_connections():
    d = Decoder()
    messages = [m for _, m in rows("initialize.lines")]
    head = [("Mcp-Session-Id", "s-secret")]
    d.data("a", "sent", 0, request("/mcp", messages[0]), 1.0)
    (first,) = d.data("a", "received", 0, answer(messages[1], headers=head), 2.0)
    d.data("b", "sent", 0, request("/mcp", messages[3], headers=head), 3.0)
    (second,) = d.data("b", "received", 0, answer(messages[4]), 4.0)
    assert second.server == first.server and second.server.value.name == "tickets"


def test_sessions_of_two_owners_do_not_mix():
    d = Decoder()
    messages = [m for _, m in rows("initialize.lines")]
    head = [("Mcp-Session-Id", "1")]
    d.open("a", owner="shop")
    d.open("b", owner="bank")
    d.data("a", "sent", 0, request("/mcp", messages[0]), 1.0)
    d.data("a", "received", 0, answer(messages[1], headers=head), 2.0)
    d.data("b", "sent", 0, request("/mcp", messages[3], headers=head), 3.0)
    (second,) = d.data("b", "received", 0, answer(messages[4]), 4.0)
    assert second.server.basis == "absent"


def test_old_servers_answer_on_another_connection():
    """HTTP+SSE of 2024-11-05: the stream tells an address; what is posted there is answered on the stream."""
    d, call = Decoder(), [m for _, m in rows("initialize.lines")]
    d.data("stream", "sent", 0, request("/sse", method="GET"), 1.0)
    body = b"event: endpoint\ndata: /messages?session_id=k3y\n\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    start = head + b"%x\r\n%s\r\n" % (len(body), body)
    assert d.data("stream", "received", 0, start, 1.1) == []
    post = request("/messages?session_id=k3y", call[5])
    assert d.data("post", "sent", 0, post, 2.0) + d.data("post", "received", 0, answer(b"", status=202), 2.1) == []
    event = b"event: message\ndata: " + call[7] + b"\n\n"
    (found,) = d.data("stream", "received", len(start), b"%x\r\n%s\r\n" % (len(event), event), 2.5)
    assert found.tool == "lookup_ticket" and found.result.redacted.startswith("The customer")
    assert found.place.connection == "post" and "k3y" not in repr(found)


def test_a_batch_is_read_message_by_message():
    batch = b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","method":"notifications/x"}]'
    back = b'[{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t"}]}}]'
    out = run(request("/mcp", batch), answer(back))
    assert [(c.method, c.batch) for c in out] == [("notifications/x", 2), ("tools/list", 2)]
    assert out[1].tools[0].name == "t"


def test_an_answer_without_its_request_is_told_as_such():
    (found,) = run(b"", b'{"jsonrpc":"2.0","id":9,"result":{}}\n')
    assert found.partial == ("request: not seen",) and found.id == "9"


def test_a_request_without_its_answer_is_told_at_the_end():
    d = Decoder()
    assert d.data("p", "sent", 0, rows("initialize.lines")[5][1] + b"\n", 1.0) == []
    assert d.settle(100.0) == []
    (late,) = d.settle(700.0)
    assert late.partial == ("answer: not seen",) and late.tool == "lookup_ticket"


def test_a_pipe_that_was_joined_late_begins_at_its_next_line():
    d = Decoder()
    d.open("p", kind="stdio", whole=False)
    line = rows("initialize.lines")[2][1]
    assert d.data("p", "sent", 0, b'ttle":"x"}\n' + line + b"\n", 1.0)[0].method == "notifications/initialized"


def test_a_lost_piece_costs_its_line_and_no_other():
    d = Decoder()
    one, two = (rows("initialize.lines")[n][1] + b"\n" for n in (5, 2))
    d.data("p", "sent", 0, one[:20], 1.0)
    d.gap("p", "sent", 20, len(one) - 30, 1.0)
    out = d.data("p", "sent", len(one) - 10, one[-10:] + two, 1.0)
    assert [c.method for c in out] == ["notifications/initialized"] and d.health.lost == len(one) - 30


def test_logs_on_stdout_do_not_end_the_reading():
    d = Decoder()
    d.open("p", kind="stdio")
    noise = b"starting\n" * 30
    assert d.data("p", "received", 0, noise, 1.0) == []
    line = b'{"jsonrpc":"2.0","method":"notifications/x"}\n'
    assert len(d.data("p", "received", len(noise), line, 1.0)) == 1


def test_the_observed_process_may_be_the_server():
    call = over_pipe("initialize.lines")[0]
    assert call.place.role == "client"
    d = Decoder()
    (note,) = d.data("p", "received", 0, b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n', 1.0)
    assert note.place.role == "server"


def test_what_waits_for_answers_is_bounded():
    d = Decoder(Limits(pending=4))
    lines = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n' % n for n in range(10))
    out = d.data("p", "sent", 0, lines, 1.0)
    assert [c.id for c in out] == ["0", "1", "2", "3", "4", "5"] and all(c.partial for c in out)
    assert d.health.dropped["pending rpc"] == 6
