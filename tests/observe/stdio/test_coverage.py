"""What is seen of MCP over pipes is said, and why not the rest."""

from sensor.observe.stdio.coverage import rows
from tests.observe.stdio.pipes import CLIENT, SERVER, TO_CLIENT, TO_SERVER, Pipes
from tests.observe.stdio.test_streams import INITIALIZE, WELCOME


def told(pipes):
    return [(r.pid, r.peer, r.rung, r.transport) for r in rows(pipes.streams.links, pipes.streams.left)]


def test_a_conversation_is_half_until_its_answers_come():
    pipes = Pipes()
    pipes.read(TO_SERVER, INITIALIZE)
    (row,) = rows(pipes.streams.links, [])
    assert (row.rung, row.pid, row.peer) == ("half", CLIENT, SERVER)
    assert "its answers were not seen" in row.reason
    pipes.read(TO_CLIENT, WELCOME)
    assert told(pipes) == [(CLIENT, SERVER, "both", "pipe")]


def test_a_lane_that_is_left_alone_has_a_row_with_the_reason():
    pipes = Pipes()
    pipes.read(9000, b"{}\n" * 99, reader=7, writer=8, mate=3)
    (row,) = rows([], pipes.streams.left)
    assert (row.pid, row.peer, row.rung, row.transport) == (7, 8, "left", "socketpair")
    assert "65 lines" in row.reason
