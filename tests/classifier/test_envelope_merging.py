"""Every part of an envelope merges in any order, twice, and without changing its inputs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.envelope.envelope import Envelope
from classifier.envelope.reference import Reference
from tests.classifier.test_envelope import histories, plain, taught
from tests.factories import deploy, replica

kinds = st.sampled_from(["image", "prompt", "tools", "config"])
marks = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12), kinds), max_size=4)


def lived(history, node: str, marked) -> Envelope:
    """An envelope with alarms, changes and a signature beside what it learned."""
    e = taught(history, node)
    for number, day, kind in marked:
        e.alarm(replica(number, node), float(day), f"while {kind}")
        e.changed(deploy(id=f"{kind}{day}", kind=kind, time=float(day)))
        e.signed = Reference(float(day), "ada", kind, (kind,))
    return e


def whole(e: Envelope) -> dict:
    parts = ("quantities", "flows", "alarms", "touched", "strange", "calls", "signed")
    return plain(e) | {p: getattr(e, p) for p in parts}


@settings(max_examples=25, deadline=None)
@given(histories, marks, histories, marks, histories, marks)
def test_any_order_gives_the_same(h1, m1, h2, m2, h3, m3):
    a, b, c = lived(h1, "n1", m1), lived(h2, "n2", m2), lived(h3, "n3", m3)
    assert whole(a.merge(b)) == whole(b.merge(a))
    assert whole(a.merge(b).merge(c)) == whole(a.merge(b.merge(c)))


@settings(max_examples=25, deadline=None)
@given(histories, marks, histories, marks)
def test_twice_changes_nothing(h1, m1, h2, m2):
    a, b = lived(h1, "n1", m1), lived(h2, "n2", m2)
    both = a.merge(b)
    assert whole(both.merge(b)) == whole(both) == whole(both.merge(both))
