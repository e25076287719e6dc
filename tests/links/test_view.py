"""A finding and the events around it to one chain, with a line for each event."""

from __future__ import annotations

import json

from classifier.links.view import BEFORE, LIMIT, about, of_events
from tests.links.factories import Story


def told(story):
    by_id = {e.id: e for e in story.events}

    def between(start, end, limit):
        return [e for e in sorted(story.events, key=lambda e: e.time) if start <= e.time <= end][:limit]

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
    assert found["looked_back"] == BEFORE
    json.dumps(found, allow_nan=False)


def test_evidence_that_is_gone_is_told():
    s, egress = theft()
    found = about({"id": "f1", "evidence": [egress.id, "n1/e/gone"], "opened": 1010.0}, *told(s))
    assert "1 events of the finding are past their time" in found["lost"]
    assert found["unlinked"] == ("n1/e/gone",)


def test_where_there_is_too_much_the_nearest_past_is_read():
    s, egress = theft()
    between, event = told(s)
    asked = []

    def much(start, end, limit):
        asked.append(end - start)
        return between(start, end, limit) * (LIMIT if end - start > 1000 else 1)

    found = about({"evidence": [egress.id]}, much, event)
    assert len(asked) > 1
    assert found["trigger"]["kind"] == "user_turn"


def test_a_stream_is_asked_by_the_ids_of_events():
    s, egress = theft()
    assert of_events(s.events, [egress.id])["complete"] == "3/4"
