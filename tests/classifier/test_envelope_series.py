"""Convergence by day and by dimension."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from classifier.envelope import incidence, series
from classifier.envelope.dimensions import DIMENSIONS, TOTAL, dimension, touched
from classifier.envelope.envelope import Envelope
from tests.classifier.story import ORDINARY, POLICY
from tests.classifier.test_envelope import histories, taught
from tests.factories import SHOP, replica, use
from wire.records import Window


def lived(days: int, extra=lambda day: (), replicas: int = 2) -> Envelope:
    e = Envelope(SHOP, POLICY)
    for day in range(days):
        for n in range(1, replicas + 1):
            e.learn(Window(replica(n), float(day), day + 1.0, (*ORDINARY, *extra(day)), {0: 4, 1: 5}))
    return e


def column(e: Envelope, name: str, part: str = TOTAL) -> list:
    return [getattr(r, name) for r in series.rows(e) if r.dimension == part]


def test_series_of_a_calm_workload_is_one_falling_curve():
    e = lived(20)
    mass, spread = column(e, "mass"), column(e, "spread")
    assert mass == sorted(mass, reverse=True) and spread == sorted(spread, reverse=True)
    assert series.spread_ratio(series.rows(e)) < 0.2  # D039
    assert column(e, "new")[0] == len(ORDINARY) and sum(column(e, "new")) == len(ORDINARY)
    assert column(e, "distance")[1:] == [0.0] * 19 and column(e, "movement")[5:] == [0.0] * 15


def test_series_of_a_code_agent_stays_up_in_its_dimension_only():
    e = lived(20, lambda day: tuple(use(f"exec:/w/{day}-{i}<sh") for i in range(4)), replicas=1)
    assert column(e, "new", "exec")[5:] == [4] * 15 and column(e, "new", "egress")[5:] == [0] * 15
    assert e.coverages()["exec"].expected > 0.9 and e.coverages()["egress"].expected == 0.0
    assert column(e, "stage")[-1] == "converging"


def test_one_odd_session_counts_once_in_the_one_form_and_fully_in_the_other():
    """drift-model 2.5: both forms are reported."""
    e = lived(20, lambda day: tuple(use(f"open:data:/odd/{i}") for i in range(40)) if day == 10 else (), replicas=1)
    row = series.rows(e)[-4:]
    last = next(r for r in reversed(series.rows(e)) if r.dimension == TOTAL)
    assert last.singles == 40 and last.fresh == pytest.approx(1 / 20) and row


@settings(max_examples=25, deadline=None)
@given(histories, histories)
def test_series_is_the_same_in_either_order_of_merging(one, two):
    a, b = taught(one, "n1"), taught(two, "n2")
    assert series.rows(a.merge(b)) == series.rows(b.merge(a)) == series.rows(a.merge(b).merge(b))


@settings(max_examples=25, deadline=None)
@given(histories)
def test_last_row_agrees_with_the_coverage_of_now(history):
    e = taught(history, "n1")
    table = [r for r in series.rows(e) if r.dimension == TOTAL]
    if table:
        assert (table[-1].singles, table[-1].known) == (e.coverage().singles, e.coverage().seen)
        assert sum(r.new for r in table) == table[-1].known


def test_system_calls_count_in_a_dimension_of_their_own():
    e = lived(5)
    e.learn(Window(replica(1), 5.0, 6.0, ORDINARY, {0: 1, 99: 1}))
    assert column(e, "new", "syscall") == [2, 0, 0, 0, 0, 1]
    assert e.coverages()["syscall"].singles == 1 and 99 in e.lanes[replica(1), ""].calls


def test_sensor_that_starts_anew_makes_no_new_session():
    e = Envelope(SHOP, POLICY)
    for epoch in ("e1", "e2"):
        e.learn(Window(replica(1), 0.0, 1.0, ORDINARY), epoch=epoch)
    assert sum(incidence.session_days(e).values()) == 1


@pytest.mark.parametrize(
    ("behaviour", "part"),
    [
        ("exec:/x<y", "exec"),
        ("open:model:/m", "file"),
        ("write:code:/a", "file"),
        ("identity:token:/t", "identity"),
        ("syscall:bpf", "syscall"),
        ("gram:1>2>3", None),
        ("", None),
    ],
)
def test_every_behaviour_has_one_dimension(behaviour, part):
    assert dimension(behaviour) == part


def test_kinds_of_change_touch_their_dimensions():
    """D055."""
    assert touched("tools") == ("exec", "egress", "file") and touched("prompt") == ("egress", "file")
    assert touched("restart") == () and touched("something new") == DIMENSIONS
