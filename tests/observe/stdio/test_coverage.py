"""What is not seen of MCP over pipes is said, and why."""

from sensor.observe.stdio.coverage import conversations, rows
from tests.observe.stdio.pipes import CLIENT, SERVER, TO_CLIENT, TO_SERVER, Pipes
from tests.observe.stdio.test_streams import INITIALIZE, WELCOME


def told(pipes):
    return conversations(pipes.streams.links, pipes.streams.left)


def test_a_conversation_is_half_until_its_answers_come():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    (row,) = told(pipes)
    assert (row.state, row.pid, row.peer) == ("half", CLIENT, SERVER)
    assert "the answers of a conversation are not seen" in row.reason
    pipes.read(TO_CLIENT, WELCOME)
    assert [(r.state, r.pid, r.peer, r.transport, r.reason) for r in told(pipes)] == [
        ("both", CLIENT, SERVER, "pipe", "")
    ]
    assert rows(told(pipes)) == []


def test_lanes_that_are_left_alone_are_one_row_a_process_with_each_reason_once():
    pipes = Pipes()
    for number in (9000, 9001):
        pipes.read(number, b"{}\n" * 99, reader=7, writer=8, mate=3)
    pipes.leave(9002, reader=7)
    assert [(c.pid, c.peer, c.state) for c in told(pipes)][:2] == [(7, 8, "left"), (7, 8, "left")]
    (row,) = rows(told(pipes))
    assert (row.pid, row.cgroup, row.rung) == (7, 1, "none")
    assert row.reason.count("65 lines") == 1
    assert "pipe: left alone: no JSON-RPC in its first bytes" in row.reason
