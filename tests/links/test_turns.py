"""Model and tool calls, as they come, to uses of `chain:` behaviours in the windows of their replica."""

from __future__ import annotations

from dataclasses import replace

from classifier.envelope.state import freeze, thaw
from classifier.links.behaviours import uses
from classifier.links.linker import Linker
from classifier.links.turns import REPLICAS, STEPS, TURNS, Turns
from tests.links.factories import POD, Story, result
from tests.links.test_behaviours import turn
from wire.records import Replica, Window


def told(story, turns=None):
    turns = turns or Turns()
    for event in story.events:
        turns.note(event)
    return turns


def window(turns, replica=POD):
    joined, silent = turns.joined(Window(replica, 0.0, 100.0))
    return replace(joined, uses=(*joined.uses, *silent))


def test_the_window_of_a_replica_gets_the_steps_of_its_turns_once():
    turns = told(turn("get_ticket", "search", "reply"))
    found = window(turns).uses
    assert sorted(u.behaviour for u in found) == [
        "chain:get_ticket",
        "chain:get_ticket>search",
        "chain:get_ticket>search>reply",
    ]
    assert all(u.count == 1 and u.evidence for u in found)
    assert window(turns).uses == ()


def test_steps_as_they_come_are_those_of_the_whole_story():
    s = turn("get_ticket", "search", "reply")
    turn("list_accounts", "reply", s=s, user="export", mark="b")
    turn("get_ticket", "reply", s=s, user="other", mark="c")
    live = {u.behaviour: u.count for u in window(told(s)).uses}
    assert live == {u.behaviour: u.count for u in uses(Linker().add_all(s.events)) if "@" not in u.behaviour}


def test_a_new_word_of_the_user_begins_a_new_turn():
    s = Story()
    one = s.llm(1, user="q", answer="a1")
    s.tool(one, "get_ticket", id_="c1")
    s.llm(5, user="q", before=["a1"], answer="a2", results=[result("c1")])
    two = s.llm(9, user="another", before=["a1", "a2"], answer="a3")
    s.tool(two, "reply", id_="c2")
    assert {u.behaviour for u in window(told(s)).uses} == {"chain:get_ticket", "chain:reply"}


def test_a_turn_whose_beginning_was_not_seen_makes_no_behaviour():
    s = Story()
    late = s.llm(5, user="q", before=["lost"], answer="a2", results=[result("c1")])
    s.tool(late, "reply", id_="c2")
    turns = told(s)
    assert (window(turns).uses, turns.headless) == ((), 1)


def test_who_serves_a_model_makes_no_chains():
    s = Story()
    llm = s.llm(1, user="q", answer="a1", role="server")
    s.tool(llm, "get_ticket")
    assert window(told(s)).uses == ()


def test_another_replica_waits_for_its_own_window():
    other = Replica("n1", 8)
    turns = told(turn("get_ticket", s=Story(other)))
    assert window(turns).uses == ()
    assert len(window(turns, other).uses) == 1


def test_a_snapshot_between_changes_nothing():
    s = turn("get_ticket", "search", "reply")
    half, turns = len(s.events) // 2, Turns()
    for event in s.events[:half]:
        turns.note(event)
    turns = thaw(freeze(turns))
    for event in s.events[half:]:
        turns.note(event)
    assert window(turns).uses == window(told(s)).uses


def lived(turns, count, *tools, start=0):
    """Many equal turns, each with its window."""
    for n in range(start, start + count):
        told(turn(*tools, s=Story(epoch=f"e{n}"), user=f"q{n}", mark=f"m{n}-"), turns)
        joined, silent = turns.joined(Window(POD, 0.0, 100.0))
    return joined, silent


def test_a_new_step_is_learned_silently_until_new_steps_are_rare():
    turns = Turns()
    _, silent = lived(turns, 1, "get_ticket", "search", "reply")
    assert len(silent) == 3
    joined, silent = lived(turns, 99, "get_ticket", "search", "reply", start=1)
    assert (len(joined.uses), silent) == (3, ())
    joined, silent = lived(turns, 1, "get_ticket", "put_object", start=100)
    assert {u.behaviour for u in joined.uses} == {"chain:get_ticket", "chain:get_ticket>put_object"}
    assert silent == ()


def test_who_always_does_something_new_is_never_news():
    turns = Turns()
    for n in range(200):
        joined, silent = lived(turns, 1, "get_ticket", f"tool{n}", start=n)
    assert [u.behaviour for u in silent] == ["chain:get_ticket>tool199"]
    assert [u.behaviour for u in joined.uses] == ["chain:get_ticket"]


def test_what_is_kept_is_bounded():
    turns = Turns()
    for n in range(2000):
        s = Story(Replica("n1", n % 500), epoch=f"e{n}")
        s.tool(s.llm(1, user=f"q{n}", answer=f"a{n}"), f"t{n}")
        told(s, turns)
    assert len(turns.turns) <= TURNS
    assert len(turns.of_call) <= 4 * TURNS
    assert len(turns.waiting) <= REPLICAS
    one = Turns()
    s = Story()
    llm = s.llm(1, user="q", answer="a")
    for n in range(STEPS + 100):
        s.tool(llm, f"t{n}", index=n)
    assert len(window(told(s, one)).uses) == STEPS
    assert one.dropped == 100


# which turn was under way -----------------------------------------------------------------------------------------------


def noted(*events):
    turns = Turns()
    for event in events:
        turns.note(event)
    return turns


def asking(story, at, name, *, wants=True, pid=100, **more):
    calls = [{"id": f"c{name}", "name": "read", "digest": "d"}] if wants else []
    return story.llm(at, user=name, answer=f"a{name}{at}", calls=calls, pid=pid, **more)


def test_a_turn_is_under_way_from_its_first_request_until_its_last_answer():
    s = Story()
    first = asking(s, 10.0, "ZD-1")
    last = asking(s, 20.0, "ZD-1", wants=False, before=["aZD-110.0"])
    turns = noted(first, last)
    assert turns.under_way(s.replica, 5.0, 9.0) == [] and turns.under_way(s.replica, 22.0, 30.0) == []
    assert turns.under_way(s.replica, 12.0, 13.0) == [first.id] == turns.under_way(s.replica, 20.5, 30.0)


def test_a_turn_that_waits_for_a_tool_is_under_way_however_long():
    s = Story()
    first = asking(s, 10.0, "ZD-1")
    turns = noted(first)
    assert turns.under_way(s.replica, 9000.0, 9010.0) == [first.id]
    assert turns.under_way(Replica("n1", 8), 9000.0, 9010.0) == []


def test_a_turn_was_given_up_when_its_process_turned_to_another():
    s = Story()
    first, other, second = asking(s, 10.0, "ZD-1"), asking(s, 11.0, "ZD-2", pid=7), asking(s, 50.0, "ZD-3")
    assert noted(first, other, second).under_way(s.replica, 60.0, 70.0) == [other.id, second.id]


def test_a_tool_call_that_is_told_says_that_the_turn_goes_on():
    s = Story()
    bare = s.llm(10.0, user="ZD-1", answer="a")  # a sensor may leave out the list of calls
    assert noted(bare).under_way(s.replica, 60.0, 70.0) == []
    assert noted(bare, s.tool(bare, "read", id_="c1")).under_way(s.replica, 60.0, 70.0) == [bare.id]


def test_a_tool_call_that_is_told_late_does_not_open_again_a_turn_that_is_over():
    s = Story()
    first = asking(s, 10.0, "ZD-1")
    last = asking(s, 20.0, "ZD-1", wants=False, before=["aZD-110.0"])
    assert noted(first, last, s.tool(first, "read", id_="c1")).under_way(s.replica, 60.0, 70.0) == []


def test_a_tool_call_that_is_told_late_does_not_open_again_a_turn_that_was_given_up():
    s = Story()
    first, other = asking(s, 10.0, "ZD-1"), asking(s, 50.0, "ZD-2", wants=False)
    assert noted(first, other, s.tool(first, "read", id_="c1")).under_way(s.replica, 60.0, 70.0) == []


def test_a_call_that_claims_to_end_in_a_far_future_is_not_under_way_until_then():
    s = Story()
    claimed = replace(asking(s, 10.0, "ZD-1", wants=False, ended=1e12), time=11.0)
    assert noted(claimed).under_way(s.replica, 60.0, 70.0) == []
