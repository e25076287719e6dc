"""How far a report's answers reach: gaps, loss, states over the span, and what no node can see."""

from __future__ import annotations

from console.report.coverage import coverage
from console.report.model import Span
from tests.console.report import fifteen
from tests.fixtures import fx5


def covered(**changes):
    return coverage(fifteen.envelope() | changes, fifteen.SPAN, fx5.DAY)


def test_a_gap_is_told_once_per_node_and_its_hours_count_as_unwatched():
    c = covered()
    assert [g[0] for g in c.gaps] == ["n2"] and c.blind_hours > 0
    assert 0.99 < c.share < 1.0


def test_states_of_the_span_change_where_the_series_does():
    whole = coverage(fifteen.envelope(), Span(fx5.START, fx5.END, 44.0), fx5.DAY)
    assert [s for _, s in whole.states] == ["learning", "converging", "converged"]
    assert [s for _, s in covered().states] == ["converged"]


def test_revisions_overlap_where_old_and_new_stood_side_by_side():
    revisions = {r.name: r for r in covered().revisions}
    assert list(revisions) == ["r1", "r2", "r3", "r4"] and revisions["r2"].start < revisions["r1"].end


def test_an_envelope_without_a_series_has_no_states_and_one_without_anything_is_missing():
    assert covered(convergence=[]).states == ()
    nothing = coverage({}, fifteen.SPAN, fx5.DAY)
    assert (nothing.state, nothing.share, nothing.gaps, nothing.revisions) == ("missing", 0.0, (), ())


def test_what_a_node_cannot_see_is_said_until_the_application_feeds_it():
    """D114."""
    assert not any(seen for _, _, seen in covered().unseen)
    fed = covered(behaviours=[{"behaviour": "prompt:ticket", "first": 0.0}])
    assert {stage.split()[0]: seen for stage, _, seen in fed.unseen}["ingestion"] is True
    assert {stage.split()[0]: seen for stage, _, seen in fed.unseen}["reconnaissance"] is False
