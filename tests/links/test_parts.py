"""Bounded memory, lives of pids, and hostile fields."""

from __future__ import annotations

from classifier.envelope.state import freeze, thaw
from classifier.links.lives import Lives
from classifier.links.memory import Memory
from classifier.links.reading import Act, Llm, near, read
from tests.links.factories import Story


def act(kind, time, pid, parent=0):
    return Act(f"n/e/{kind}{time}{pid}", kind, time, "n", "n/1/0", pid, parent=parent)


def test_a_pid_has_one_life_after_the_other():
    lives = Lives([act("fork", 1, 7, 3), act("exit", 2, 7), act("fork", 5, 7, 4)])
    assert lives.at(("n", 7), 1.5).parent == 3
    assert lives.at(("n", 7), 3) is None
    assert lives.at(("n", 7), 6).parent == 4


def test_a_fork_whose_exit_was_lost_ends_the_life_before():
    lives = Lives([act("fork", 1, 7, 3), act("fork", 5, 7, 4)])
    assert (lives.at(("n", 7), 4).parent, lives.at(("n", 7), 6).parent) == (3, 4)


def test_the_owner_is_the_nearest_of_those_asked_for():
    lives = Lives([act("fork", 1, 7, 3), act("fork", 2, 8, 7), act("fork", 3, 9, 8)])
    owner, child = lives.owner(("n", 9), 4, {("n", 3), ("n", 7)})
    assert (owner, child.key) == (("n", 7), ("n", 8))
    assert lives.owner(("n", 9), 4, {("n", 99)}) == (None, None)


def test_parents_in_a_ring_end_nothing():
    lives = Lives([act("exec", 1, 7, 8), act("exec", 1, 8, 7)])
    assert len(lives.path(("n", 7), 2)) == 2


def test_memory_survives_a_snapshot():
    s, memory = Story(), Memory()
    llm = s.llm(1, user="q", answer="a1", results=[{"id": "c", "text": "x"}])
    s.tool(llm, "search", {"q": "x"})
    s.exec(2, "/bin/sh", pid=7, parent=3)
    for event in s.events:
        memory.add(read(event))
    again = thaw(freeze(memory))
    assert again.facts == memory.facts
    assert again.pinned == memory.pinned


def test_clocks_of_two_nodes_and_of_others_are_believed_less():
    one, other = act("exec", 1, 7), Act("m/e/1", "exec", 1.0, "m", "m/1/0", 7)
    told = read(Story().llm(1, basis="self_reported", source="otlp"))
    assert isinstance(told, Llm)
    assert (near(one, one), near(one, other), told.error) == (0.005, 0.25, 0.25)


def test_a_field_of_another_type_is_as_if_it_were_not_there():
    event = Story().event("llm", 1.0, {"user_turn": 7, "pid": "x", "history": 3, "began": "soon"})
    found = read(event)
    assert (found.user_turn, found.pid, found.answers, found.began) == ("", 0, (), 1.0)
