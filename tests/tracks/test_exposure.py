"""Exposure hours: of the agent and not of its replicas, less enforcement, with what nobody saw apart."""

from __future__ import annotations

import pytest

from classifier.envelope.envelope import Envelope
from classifier.envelope.ledger import union
from classifier.policy import Policy
from classifier.tracks.exposure import exposed, overlap, without
from tests.factories import SHOP, window
from wire.records import Pin

HOUR, DAY = 3600.0, 86400.0


def observed(days: int = 14, replicas: int = 2, *, gap: tuple[float, float] | None = None) -> Envelope:
    e = Envelope(SHOP, Policy())
    for hour in range(24 * days):
        for n in range(replicas):
            if gap is None or not gap[0] <= hour * HOUR < gap[1]:
                e.learn(window(n, "open:data:/x", start=hour * HOUR, length=HOUR))
        if gap is not None and hour * HOUR == gap[1]:
            e.blind("n1", *gap, "sensor stopped")
    return e


def on(*times: float) -> list[Pin]:
    """Enforcement on, off, on, … at some times."""
    return [Pin(t, SHOP, "enforcement", ("on", "off")[n % 2], "gate") for n, t in enumerate(times)]


@pytest.mark.parametrize(
    ("pins", "exposure", "enforced"),
    [
        pytest.param([], 336, 0, id="fourteen-days"),
        pytest.param(on(0.0), 0, 336, id="from-the-first-second"),
        pytest.param(on(7 * DAY), 168, 168, id="half-way"),
        pytest.param(on(DAY, 2 * DAY), 312, 24, id="for-a-day"),
        pytest.param(on(99 * DAY), 336, 0, id="later-than-all"),
    ],
)
def test_hours_without_enforcement(pins, exposure, enforced):
    found = exposed(observed(), pins)
    assert (found.exposure, found.enforced, found.paused) == (exposure, enforced, 0) and found.whole


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_replicas_do_not_multiply_hours(replicas):
    assert exposed(observed(2, replicas), []).exposure == 48


def test_time_that_nobody_watched_is_counted_apart():
    found = exposed(observed(gap=(3 * DAY, 4 * DAY)), [])
    assert (found.exposure, found.paused) == (312, 24)


def test_an_agent_that_was_never_seen_has_no_hours():
    found = exposed(None, on(1.0))
    assert (found.exposure, found.enforced, found.paused, found.enforced_now) == (0, 0, 0, True)


def test_a_ledger_that_dropped_replicas_says_that_the_figures_are_not_whole():
    e = Envelope(SHOP, Policy(max_exposures=2))
    for n in range(3):
        e.learn(window(n, "open:data:/x", start=n * HOUR, length=HOUR))
    assert not exposed(e, []).whole


def test_spans_are_plain_arithmetic():
    assert union([(5, 6), (1, 3), (2, 4)]) == [(1, 4), (5, 6)] and overlap((0, 2), (1, 5)) == 1
    assert without((0, 10), [(-5, 1), (9, 99)]) == [(1, 9)] and without((0, 10), [(0, 10)]) == []
    assert without((0, 10), [(20, 30)]) == [(0, 10)]
