"""From a finding to what set it off: links before time, one answer for all who ask, and how sure it is."""

from __future__ import annotations

import random

import pytest

from classifier.links.reach import Finding
from classifier.links.road import of_list, road
from classifier.links.view import about
from guard.audit.chain import trigger as section
from tests.links.factories import FLOW, HOST, POD, SERVER, Story, finding, turn
from tests.links.test_doubles import twice


def found(story: Story, asked: Finding):
    return road(asked, *of_list(story.events), lambda *_: [POD])[0]


def test_evidence_that_leads_to_one_turn_is_captured_however_many_turns_are_near():
    s = Story()
    for n in range(20):
        turn(s, 900.0 + 3 * n, f"ZD-{n}", ended=902.5 + 3 * n)
    turn(s, 1000.0, "ZD-88", ended=1020.0, host=HOST)
    sent = s.egress(1010.0, HOST)
    for n in range(20, 40):
        turn(s, 1030.0 + 3 * n, f"ZD-{n}", ended=1032.5 + 3 * n)
    told = found(s, finding(sent.id, first=1010.0, last=1011.0))
    assert (told.state, told.by, told.chain.trigger.excerpt) == ("captured", "evidence", "ZD-88")


def test_of_several_turns_that_stands_to_which_the_most_leads_and_the_others_are_named():
    s = Story()
    first = turn(s, 1000.0, "ZD-1", ended=1005.0)
    second = turn(s, 1010.0, "ZD-2", ended=1020.0, host=HOST)
    sent = s.egress(1015.0, HOST)
    told = found(s, finding(first.id, second.id, sent.id, first=1000.0, last=1020.0))
    assert (told.state, told.chain.trigger.excerpt) == ("captured", "ZD-2")
    assert told.also == (s.events[0].id,) and "2 turns" in told.chain.trigger.why
    assert section(told)["turns"] == 2


def test_a_deed_of_one_of_two_turns_that_ran_at_once_is_ambiguous_and_no_turn_is_chosen():
    s = Story()
    turn(s, 1000.0, "ZD-1", ended=1030.0, host=HOST)
    turn(s, 1001.0, "ZD-2", ended=1031.0, host=HOST)
    sent = s.egress(1010.0, HOST)
    told = found(s, finding(sent.id, first=1010.0, last=1011.0))
    assert (told.state, told.by, len(told.possible)) == ("ambiguous", "evidence", 2)
    assert told.chain.trigger.excerpt == "" and section(told)["state"] == "ambiguous"


def test_a_call_beside_a_deed_does_not_decide_whose_the_deed_is():
    """A benign tool call leads to one turn, what was done to either of two: it was called captured, and of the first."""
    s = Story()
    call = turn(s, 1000.0, "ZD-1", ended=1030.0, host=HOST)
    other = turn(s, 1001.0, "ZD-2", ended=1031.0, host=HOST)
    sent = s.egress(1010.0, HOST)
    told = found(s, finding(call.id, sent.id, first=1000.0, last=1011.0))
    assert (told.state, told.by) == ("ambiguous", "evidence")
    assert told.possible == (call.data["llm"], other.data["llm"])


def test_a_server_that_served_everybody_does_not_tie_its_start_to_a_turn():
    s = Story()
    started = s.exec(10.0, "/usr/bin/files", pid=SERVER, parent=1)
    call = turn(s, 1000.0, "ZD-1", ended=1030.0)
    s.mcp(1005.0, "read", {"q": "ZD-1"})
    told = found(s, finding(call.id, started.id, first=10.0, last=1011.0))
    assert (told.state, told.by, told.chain.trigger.excerpt) == ("inferred", "time", "ZD-1")
    assert "no link ties the 1 deeds" in told.why


@pytest.mark.parametrize("pace", [0.5, 3.0, 600.0])
def test_what_was_only_counted_is_of_the_call_that_was_under_way_at_any_pace(pace):
    """A fixed minute to either side took in every ticket of a minute, and nothing of an hour."""
    s = Story()
    turn(s, 5000.0 - 2 * pace, "ZD-1", ended=5000.0 - pace)
    turn(s, 5000.0, "ZD-2", ended=5000.0 + 10 * pace)
    turn(s, 5000.0 + 12 * pace, "ZD-3", ended=5000.0 + 13 * pace)
    told = found(s, finding(first=5000.0 + 2 * pace, last=5000.0 + 9 * pace))
    assert (told.state, told.by, told.chain.trigger.excerpt) == ("inferred", "time", "ZD-2")
    assert told.chain.trigger.basis == "inferred" and "no id ties" in told.why


def test_two_turns_while_it_was_counted_are_not_told_apart_and_each_has_its_share():
    s = Story()
    one = turn(s, 999.0, "ZD-1", ended=1002.0)
    two = turn(s, 1002.5, "ZD-2", ended=1011.0)
    told = found(s, finding(first=1000.0, last=1010.0))
    assert told.state == "ambiguous" and told.possible == (two.data["llm"], one.data["llm"])
    assert "65%, 20%" in told.why


def test_an_old_connection_says_in_which_process_the_call_ran():
    s = Story()
    turn(s, 990.0, "ZD-0", ended=996.0)
    opened = s.egress(993.0, HOST, pid=100)
    turn(s, 1999.0, "ZD-1", ended=2020.0, pid=100)
    turn(s, 2000.0, "ZD-2", ended=2020.0, pid=700)
    told = found(s, finding(opened.id, first=2003.0, last=2010.0))
    assert (told.state, told.chain.trigger.excerpt) == ("inferred", "ZD-1")
    assert "in the process that holds the connection" in told.why


def test_a_call_that_was_given_up_long_before_is_not_under_way():
    s = Story()
    turn(s, 100.0, "ZD-0", ended=None)
    turn(s, 999.0, "ZD-1", ended=1020.0)
    assert found(s, finding(first=1003.0, last=1010.0)).chain.trigger.excerpt == "ZD-1"


def test_a_deed_while_no_call_ran_is_of_none():
    s = Story()
    turn(s, 990.0, "ZD-1", ended=995.0)
    own = s.egress(1003.0, "telemetry.example.org")
    turn(s, 1010.0, "ZD-2", ended=1015.0)
    told = found(s, finding(own.id, first=1003.0, last=1010.5, behaviour=own.behaviour))
    assert told.state == "not_captured" and section(told)["state"] == "not_captured"


def test_a_deed_whose_process_nobody_knows_is_joined_by_time_and_says_so():
    s = Story()
    turn(s, 1000.0, "ZD-1", ended=1020.0)
    sent = s.event("egress", 1010.0, {"name": HOST}, FLOW)
    told = found(s, finding(sent.id, first=1010.0, last=1012.0))
    assert (told.state, told.by, told.chain.trigger.excerpt) == ("inferred", "time", "ZD-1")


def test_a_call_that_was_only_told_a_second_time_leads_to_the_turn_that_was_seen():
    seen, told, *_, again = twice()
    led, _ = road(finding(again.id, first=1.0, last=5.0), *of_list([*seen.events, *told.events]), lambda *_: [POD])
    assert (led.state, led.chain.trigger.event, led.chain.trigger.basis) == ("captured", seen.events[0].id, "verified")


def test_the_command_and_the_row_name_the_same_whatever_the_order_of_events():
    s = Story()
    turn(s, 999.0, "ZD-1", ended=1002.0)
    call = turn(s, 1002.5, "ZD-2", ended=1011.0, host=HOST)
    asked = [finding(first=1000.0, last=1010.0), finding(call.id, first=1002.0, last=1010.0)]
    for one in asked:
        told = []
        for seed in range(5):
            events = random.Random(seed).sample(s.events, len(s.events))
            row = section(road(one, *of_list(events), lambda *_: [POD])[0])
            shown = about(one, *of_list(events), lambda *_: [POD])["trigger"]
            assert {name: shown[name] for name in ("state", "why")} == {name: row[name] for name in ("state", "why")}
            assert shown["excerpt"] == row.get("excerpt", "") and shown["possible"] == row.get("possible", [])
            told.append(row)
        assert all(row == told[0] for row in told)
