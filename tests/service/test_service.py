"""The daemon from outside: sensors send, people ask, it stops when told."""

import json

from classifier.drift.finding import finding_to_dict
from tests.classifier.story import ATTACK, days, learned, play


def story():
    return [*learned(1, 2), *days(40, 50, 1, 2, uses={1: ATTACK})]


def expected(records):
    return json.loads(json.dumps([finding_to_dict(f) for f in play(records).findings()]))


def test_what_sensors_send_becomes_findings(daemon):
    d = daemon().start()
    d.send(story())
    status, found = d.get("/findings")
    assert status == 200 and found
    assert found == expected(story())
    assert d.stop() == 0
