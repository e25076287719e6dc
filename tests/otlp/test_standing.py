"""A replica that tells of itself stands on a rung; when it falls silent while it asks a model, that is told, once."""

from __future__ import annotations

import pytest

from classifier.inventory.stock import Stock
from classifier.otlp.intake import LOOKS, Intake
from classifier.otlp.standing import changes
from classifier.policy import DAY
from classifier.settings import OtlpLimits
from tests.factories import SHOP, event, identity, replica, use, window
from tests.otlp.bodies import NOW
from tests.otlp.test_conventions import Sink

PATIENCE = 1800.0
MODEL = "egress:tcp:api.openai.com:443"


def llm(time, source="otlp", **data):
    return event(1, "llm", time=time, id=f"e{time}", source=source, model_asked="m", **data)


def stock(*behaviours, seen=False, again=False):
    """A replica that told of itself long ago and has gone on with these behaviours."""
    made = Stock()
    if seen:
        made.note(llm(NOW - 5000, "tls"), identity(), DAY)
    made.note(llm(NOW - 5000, host="llm.intern.example"), identity(), DAY)
    for at in range(int(NOW) - 4990, int(NOW) - 100, 60):
        made.observe(window(1, *behaviours, start=float(at)), identity(), DAY, PATIENCE)
    if again:
        made.note(llm(NOW - 50), identity(), DAY)
    return made


def told(made, clock=None):
    """Events of coverage of a few looks."""
    sink, times = Sink(), clock or [NOW, NOW + 1, NOW + LOOKS, NOW + 2 * LOOKS]
    sink.stocks = {SHOP: made}
    now = iter(times)
    intake = Intake(sink, OtlpLimits(), clock=lambda: current[0])
    for current[0] in now:
        intake.settle()
    return [(e.kind, e.data["rung"]) for e in sink.events]


current = [NOW]


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        pytest.param(lambda: stock(use("open:x:/a")), "otlp", id="nothing-to-tell"),
        pytest.param(lambda: stock(use(MODEL)), "uncovered", id="asks-a-known-endpoint"),
        pytest.param(
            lambda: stock(use("egress:tcp:llm.intern.example:8443")), "uncovered", id="asks-the-endpoint-it-named"
        ),
        pytest.param(lambda: stock(use("egress:tcp:db.intern.example:5432")), "otlp", id="talks-to-somebody-else"),
        pytest.param(lambda: stock(use(MODEL), again=True), "otlp", id="speaks-again"),
        pytest.param(lambda: stock(use(MODEL), seen=True), None, id="its-calls-are-seen-anyway"),
    ],
)
def test_a_replica_stands_where_its_telemetry_leaves_it(made, wanted):
    assert told(made()) == ([("coverage", wanted)] if wanted else [])


def test_a_change_is_told_once_and_names_the_replica():
    (one,) = changes({}, {replica(): "otlp"}, NOW)
    assert (one.replica, one.time, one.behaviour, one.data["source"]) == (replica(), NOW, None, "otlp")
    assert list(changes({replica(): "otlp"}, {replica(): "otlp"}, NOW)) == []
    (other,) = changes({replica(): "otlp"}, {replica(): "uncovered"}, NOW + 1)
    assert other.data["reason"].startswith("feed silent") and other.id != one.id


def test_nobody_is_asked_at_every_turn():
    sink = Sink()
    asked = []
    sink.told = lambda view: asked.append(view) or {}
    intake = Intake(sink, OtlpLimits(), clock=lambda: current[0])
    for current[0] in (NOW, NOW + 1, NOW + LOOKS - 1, NOW + LOOKS):
        intake.settle()
    assert len(asked) == 2
