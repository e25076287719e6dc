"""FX-3 and FX-4: what must converge, and what must say that it does not."""

from __future__ import annotations

import itertools

import pytest

from classifier.envelope import series
from classifier.policy import Policy
from tests.classifier.story import play
from tests.golden.convergence import CODER, HERE, MONDAY, RETRIEVAL, STORIES
from wire.trace import read

FIRST = int(MONDAY // 86_400)


@pytest.fixture(scope="module")
def lived():
    """Name → the pipeline after its trace."""
    return {name: play(read(HERE / f"{name}.trace"), Policy()) for name in STORIES}


def total(pipeline, workload):
    return [r for r in series.rows(pipeline.envelope(workload)) if r.dimension == "total"]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_trace_still_holds_its_story(name):
    assert list(read(HERE / f"{name}.trace")) == STORIES[name]()
    assert (HERE / f"{name}.trace").stat().st_size < 500_000


@pytest.mark.parametrize("name", sorted(STORIES))
def test_scaling_restarts_a_drain_and_ordinary_novelty_give_no_finding(lived, name):
    """D046, FX-3."""
    assert lived[name].findings() == []


def test_retrieval_agent_converges_between_day_14_and_28(lived):
    """D039, D041."""
    rows = total(lived["fx3"], RETRIEVAL)
    first = next(r.day - FIRST + 1 for r in rows if r.stage == "converged")
    assert 14 <= first <= 28 and rows[-1].stage == "converged"
    assert series.spread_ratio(rows) <= 0.2
    masses = [r.mass for r in rows]
    assert all(later <= before * 1.05 for before, later in itertools.pairwise(masses))


def test_code_agent_is_non_converging_by_day_28_and_its_size_levels_off(lived):
    """D040, D043."""
    rows = total(lived["fx4"], CODER)
    assert next(r for r in rows if r.day - FIRST == 27).stage == rows[-1].stage == "non-converging"
    sizes = [r.size for r in rows if r.day - FIRST >= 40]
    assert max(sizes) - min(sizes) <= 0.1 * min(sizes)
    states = [i.state for i in lived["fx4"].envelope(CODER).items.values()]
    assert states.count("dormant") > 100
