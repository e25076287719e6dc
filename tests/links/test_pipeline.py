"""Chains through the pipeline: learned by the envelope, news once steps are rare to be new, the same after a snapshot."""

from __future__ import annotations

from classifier.pipeline import Pipeline
from tests.classifier.story import POLICY, born, window
from tests.factories import SHOP, head, replica
from tests.links.factories import Story
from tests.links.test_behaviours import turn
from wire.records import Tick

USUAL = ("get_ticket", "search", "reply")


def day(t: int, *turns: tuple[str, ...]):
    """A day of one replica: each turn a little after the other, then its window."""
    s = Story(replica(1), epoch=f"e{t}")
    for n, tools in enumerate(turns):
        turn(*tools, s=s, user=f"q{t}-{n}", mark=f"d{t}-{n}-")
    step = 1.0 / (len(s.events) + 1)
    for n, event in enumerate(s.events):
        yield event.__class__(event.id, t + n * step, event.replica, event.kind, event.behaviour, event.data)
    yield window(1, float(t))
    yield Tick("n1", t + 1.0)


def life(last: int, *turns):
    """Days of the usual turns, then one with others, then some as before."""
    yield head()
    yield born(1)
    for t in range(last):
        yield from day(t, *[USUAL] * 4)
    yield from day(last, *turns)
    for t in range(last + 1, last + 4):
        yield from day(t, USUAL)


def played(records, *, cut=None):
    pipeline = Pipeline(POLICY)
    for n, record in enumerate(records):
        if n == cut:
            pipeline = Pipeline.restore(POLICY, pipeline.snapshot())
        pipeline.feed(record)
    return pipeline


def chains(pipeline):
    return {b for b in pipeline.envelope(SHOP).items if b.startswith("chain:")}


def news(pipeline):
    return {d.behaviour for f in pipeline.findings() for d in f.deviations if d.behaviour.startswith("chain:")}


def test_the_envelope_learns_the_steps_of_a_workflow_and_says_nothing():
    pipeline = played(life(40, USUAL))
    assert chains(pipeline) == {"chain:get_ticket", "chain:get_ticket>search", "chain:get_ticket>search>reply"}
    assert news(pipeline) == set()


def test_a_step_that_a_settled_agent_never_took_is_news():
    assert news(played(life(40, ("get_ticket", "put_object")))) == {"chain:get_ticket>put_object"}


def test_an_agent_that_has_not_settled_makes_no_news():
    assert news(played(life(5, ("get_ticket", "put_object")))) == set()


def test_a_snapshot_in_the_middle_changes_nothing():
    records = list(life(40, ("get_ticket", "put_object")))
    wanted = played(records)
    for cut in (100, 333, len(records) - 20):
        again = played(records, cut=cut)
        assert again.findings() == wanted.findings()
        assert again.snapshot() == wanted.snapshot()
