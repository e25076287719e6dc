"""How far is read for a finding follows from what was read, not from a window of so many seconds."""

from __future__ import annotations

import pytest

from classifier.links.reach import BACK, LIMIT, LONGEST, ON, REPLICAS, SPANS, read
from classifier.links.road import decided, of_list, road
from tests.links.factories import AGENT, FLOW, HOST, Story, finding, result, turn
from wire.records import Replica


class Asked:
    """Events that note from when they were asked for."""

    def __init__(self, story):
        self._told, self.event = of_list(story.events)
        self.starts, self.spans = [], []

    def told(self, replica, start, end, limit, *, latest):
        self.starts += [start] if latest else []
        self.spans.append((start, end))
        return self._told(replica, start, end, limit, latest=latest)


def reach(story, asked):
    source = Asked(story)
    return read(asked, source.told, source.event), source


@pytest.mark.parametrize("before", [5.0, 2000.0, 3000.0])
def test_a_tool_that_takes_long_is_followed_to_its_turn(before):
    s = Story()
    turn(s, 1e6 - before, "ZD-1", ended=1e6 + 10, host=HOST)
    sent = s.egress(1e6, HOST)
    found, _ = reach(s, finding(sent.id, first=1e6, last=1e6))
    assert decided(found).chain.trigger.excerpt == "ZD-1"


def test_the_model_call_of_a_tool_is_found_by_its_id_a_day_later():
    s = Story()
    asked = s.llm(1000.0, user="ZD-1", answer="a")
    call = s.tool(asked, "put", {"host": HOST}, id_="c1", time=9e4)
    late = type(call)(call.id, 9e4, call.replica, call.kind, call.behaviour, call.data)
    s.events[-1] = late
    found, _ = reach(s, finding(late.id, first=9e4, last=9e4))
    assert decided(found).chain.trigger.excerpt == "ZD-1"


def test_more_is_read_while_a_turn_began_before_what_was_read():
    s = Story()
    turn(s, 1e5 - 9000, "ZD-1", ended=None)
    middle = s.llm(1e5, user="ZD-1", before=["gone"], results=[result("c9")], answer="b")
    call = s.tool(middle, "put", {"host": HOST}, id_="c2")
    found, source = reach(s, finding(call.id, first=1e5, last=1e5))
    assert [call.time - start for start in source.starts] == list(BACK)
    assert "began before what was read" in found.why


def test_where_all_evidence_is_led_nothing_more_is_read():
    s = Story()
    call = turn(s, 1e5, "ZD-1", ended=1e5 + 2)
    found, source = reach(s, finding(call.id, first=1e5, last=1e5))
    assert len(source.starts) == 1 and found.why == "nothing that was read points further"


def test_a_connection_of_another_day_is_no_evidence_of_who_used_it_now():
    s = Story()
    old, new = s.egress(100.0, HOST), s.egress(9000.0, "other.example.org")
    asked = finding(old.id, new.id, "n1/e/gone", first=8999.5, last=9010.0)
    found, _ = reach(s, asked)
    assert found.evidence == [new.id, "n1/e/gone"] and found.lost == ["1 events of the finding are past their time"]
    assert [(c.behaviour, c.old) for c in found.counted] == [(FLOW, (old.id,))]


def test_an_event_is_held_against_the_beginning_of_its_own_deviation():
    """A file came first, a connection hours later, and what grew on it hours after that: the connection's turn was named."""
    s = Story()
    opened = s.event("open", 36_000.0, {"path": "/x"}, "open:data:/x")
    turn(s, 37_000.0, "ZD-2", ended=37_010.0, host=HOST)
    connected = s.egress(37_005.0, HOST)
    turn(s, 50_000.0, "ZD-3", ended=50_030.0)
    asked = finding(opened.id, connected.id, first=50_005.0, last=50_020.0)
    asked["deviations"].append({"behaviour": "open:data:/x", "first": 36_000.0, "last": 50_010.0})
    found, _ = reach(s, asked)
    assert found.evidence == [opened.id]
    assert [(c.behaviour, c.first, c.old) for c in found.counted] == [(FLOW, 50_005.0, (connected.id,))]


def test_what_was_counted_hours_after_evidence_that_leads_nowhere_is_read_too():
    s = Story()
    own = s.event("egress", 36_000.0, {"name": "own.example.org"}, "egress:tcp:own.example.org:443")
    turn(s, 50_000.0, "ZD-3", ended=50_030.0)
    asked = finding(own.id, first=50_005.0, last=50_020.0)
    asked["deviations"].append({"behaviour": own.behaviour, "first": 36_000.0, "last": 36_001.0})
    found, _ = reach(s, asked)
    told = decided(found)
    assert (told.state, told.chain.trigger.excerpt) == ("inferred", "ZD-3")
    assert found.start < 36_000.0 and found.end > 50_020.0
    assert any("between 2 spans" in words for words in found.lost)


def test_between_evidence_of_several_days_is_not_read_and_that_is_said():
    s = Story()
    first = turn(s, 1000.0, "ZD-1", ended=1020.0)
    between = s.open(50_000.0, "/between")
    turn(s, 2e5, "ZD-2", ended=2e5 + 20, host=HOST)
    sent = s.egress(2e5 + 10, HOST)
    found, source = reach(s, finding(first.id, sent.id, first=1000.0, last=2e5 + 20))
    assert decided(found).chain.trigger.excerpt == "ZD-2"
    assert between.id not in found.events and any("between 2 spans" in words for words in found.lost)
    assert all(end - start <= sum((BACK[-1], ON[-1], LONGEST)) for start, end in source.spans)


def test_of_evidence_of_very_many_days_the_earliest_is_read_and_that_is_said():
    s = Story()
    sent = [s.egress(1e5 * (n + 1), HOST) for n in range(SPANS + 3)]
    found, _ = reach(s, finding(*(e.id for e in sent), first=1e5, last=9e5))
    assert any(words.startswith("3 more spans") for words in found.lost)


def test_a_flood_behind_the_evidence_does_not_wash_it_out():
    """Sixteen turns of a rollout were the oldest of what was read, and a linker's bound let go of them first."""
    s = Story()
    call = turn(s, 1000.0, "ZD-1", ended=1001.5)
    for n in range(600):
        s.llm(1002.0 + n / 100, user=f"ZD-{n + 2}", answer=f"b{n}")
    last = s.egress(1009.0, "other.example.org")
    found, _ = reach(s, finding(call.id, last.id, first=1000.0, last=1009.0))
    assert decided(found).chain.trigger.excerpt == "ZD-1"


def test_nothing_that_was_read_falls_out_of_the_linker():
    """17,000 starts of programs behind the evidence, and the evidence itself was let go."""
    s = Story()
    turn(s, 1000.0, "ZD-1", ended=5000.0)
    first = s.exec(1010.0, "/bin/evil", pid=500, parent=AGENT)
    for n in range(17_000):
        s.exec(1011.0 + n / 1000, "/bin/true", pid=1000 + n % 5000, parent=AGENT)
    found, _ = reach(s, finding(first.id, first=1010.0, last=1030.0, behaviour=first.behaviour))
    assert first.id in found.linker.graph.facts and not found.linker.memory.dropped
    assert decided(found).chain.trigger.excerpt == "ZD-1"


def test_what_could_not_be_read_is_said():
    s = Story()
    call = turn(s, 1000.0, "ZD-1", ended=1001.5)
    told, event = of_list(s.events)

    def much(*asked, **more):
        return [*told(*asked, **more)] * LIMIT

    found = read(finding(call.id, first=1000.0, last=1001.0), much, event)
    assert any(f"only the last {LIMIT} events before it" in words for words in found.lost)
    assert any(f"only the first {LIMIT} events from its beginning on" in words for words in found.lost)


def test_of_what_was_counted_for_long_the_first_hour_is_read_and_that_is_said():
    s = Story()
    turn(s, 999.0, "ZD-1", ended=1020.0)
    for last, ran, said in ((1000.0 + LONGEST, [s.replica], 0), (9e5, [s.replica], 1), (9e5, [], 0)):
        _, found = road(finding(first=1000.0, last=last), *of_list(s.events), lambda *_, ran=ran: ran)
        assert found.end <= 1000.0 + LONGEST + ON[-1]
        assert sum("the first hour was read" in words for words in found.lost) == said


def test_many_replicas_share_what_may_be_read():
    s = Story()
    sent = [s.event("egress", 1000.0, {"pid": 5}, FLOW, Replica("n1", n)) for n in range(10)]
    told, event = of_list(s.events)
    limits = set()

    def noted(*asked, **more):
        limits.add(asked[3])
        return told(*asked, **more)

    read(finding(*(e.id for e in sent), first=1000.0, last=1001.0), noted, event)
    assert limits == {LIMIT // 10}


def test_without_any_event_the_replicas_that_ran_are_looked_at():
    s = Story()
    turn(s, 999.0, "ZD-1", ended=1020.0)
    many = [s.replica, *(Replica("n1", n) for n in range(50, 50 + REPLICAS))]
    told, found = road(finding(first=1003.0, last=1010.0), *of_list(s.events), lambda *_: many)
    assert told.chain.trigger.excerpt == "ZD-1" and "1 replicas of the finding were not looked at" in found.lost
    told, found = road(finding(first=1003.0, last=1010.0), *of_list(s.events))
    assert told.state == "not_captured" and not found.replicas


def test_a_finding_without_a_time_reads_nothing():
    found, source = reach(Story(), {"id": "f1", "evidence": [], "deviations": []})
    assert not source.starts and found.why == "nothing of it has a time"
