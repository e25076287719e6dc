"""A finding and the events around it to one chain, with a line for each event."""

from __future__ import annotations

import json

from classifier.links.reach import LIMIT
from classifier.links.view import about, of_events
from tests.links.factories import Story


def told(story):
    by_id = {e.id: e for e in story.events}

    def between(replica, start, end, limit, *, latest):
        found = [e for e in sorted(story.events, key=lambda e: e.time) if start <= e.time <= end]
        found = [e for e in found if e.replica == replica]
        return found[-limit:] if latest else found[:limit]

    return between, by_id.get


def theft():
    s = Story()
    llm = s.llm(1000, user="Handle ticket ZD-88213", answer="a1")
    s.tool(llm, "put_object", {"url": "https://acme-export.s3.example.org/x"}, id_="c1")
    return s, s.egress(1003, "acme-export.s3.example.org")


def test_a_finding_leads_to_the_words_that_set_it_off():
    s, egress = theft()
    found = about({"id": "f1", "evidence": [egress.id], "opened": 1010.0}, *told(s))
    assert found["trigger"]["excerpt"] == "Handle ticket ZD-88213"
    assert found["behaviour"] == "chain:put_object>s3"
    assert found["said"][egress.id]["what"] == "egress:tcp:acme-export.s3.example.org:443"
    json.dumps(found, allow_nan=False)


def test_evidence_that_is_gone_is_told():
    s, egress = theft()
    found = about({"id": "f1", "evidence": [egress.id, "n1/e/gone"], "opened": 1010.0}, *told(s))
    assert "1 events of the finding are past their time" in found["lost"]
    assert found["unlinked"] == ("n1/e/gone",)


def test_where_there_is_too_much_the_latest_is_read_and_it_is_said():
    s, egress = theft()
    between, event = told(s)

    def much(*asked, **more):
        return [*between(*asked, **more)] * LIMIT

    found = about({"evidence": [egress.id]}, much, event)
    assert found["trigger"]["kind"] == "user_turn"
    assert any(f"only the last {LIMIT} events before it" in words for words in found["lost"])


def test_it_says_how_sure_it_is_and_how_far_it_looked():
    s, egress = theft()
    found = about({"id": "f1", "evidence": [egress.id], "opened": 1010.0}, *told(s))
    assert (found["trigger"]["state"], found["trigger"]["by"]) == ("captured", "evidence")
    assert found["looked"]["from"] < 1000 < found["looked"]["until"] and found["looked"]["why"]
    json.dumps(found, allow_nan=False)


def test_a_stream_is_asked_by_the_ids_of_events():
    s, egress = theft()
    assert of_events(s.events, [egress.id])["complete"] == "3/4"
