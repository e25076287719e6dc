"""A slow drip: found by its sum, and nothing found in steady traffic."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.envelope import creep
from classifier.envelope.creep import Flow
from classifier.envelope.cusum import LIMIT, SURE, UNIT, cusum, log_steps
from classifier.policy import Policy
from tests.classifier.story import born, play
from tests.factories import head, replica, use
from wire.records import Tick, Window

PEER = "egress:tcp:crm.example.org:443"
RECORD = 2_100  # bytes
WEEK = (1, 1, 1, 1, 1, 0.4, 0.4)


def flagged(days: int, drip: range = range(0), more: float = 0.0, *, spread: float = 0.08, seed: int = 1) -> list[int]:
    """Days on which a year of seasonal traffic is told of; `more` of the mean is added on the days of the drip."""
    rng, flow, total, asked, told = random.Random(seed), Flow(), 0, 0, []
    flow.add(-1, 0, 0)
    for day in range(days):
        requests = int(rng.lognormvariate(math.log(600 * WEEK[day % 7]), 0.15))
        size = requests * 2 * RECORD * math.exp(rng.gauss(0, spread)) + (600 * 2 * RECORD * more if day in drip else 0)
        total, asked = total + int(size), asked + requests
        flow.add(day, total, asked)
        found = cusum(flow.values(flow.rates), flow.start)
        told += [day] if found is not None and found.total > LIMIT else []
    return told


@pytest.mark.parametrize("seed", range(5))
def test_slow_drip_is_found_within_seven_days(seed):
    """D109: a fifth more than normal every day, each window within its bounds."""
    told = flagged(64, range(50, 64), 0.3, seed=seed)
    assert told and 50 <= told[0] <= 56


@pytest.mark.parametrize("seed", range(20))
def test_a_year_of_seasonal_traffic_is_never_told(seed):
    assert flagged(365, seed=seed, spread=0.05 * (1 + seed % 5)) == []


def test_one_odd_day_is_no_drip():
    assert flagged(64, range(50, 51), 20.0) == []


def days(count: int, extra: int = 0, since: int = 10**6):
    """A window a day: requests, and records read for them; from `since` on so many records more."""
    rng = random.Random(3)
    for day in range(count):
        asked = rng.randint(80, 100)
        size = asked * RECORD + (extra * RECORD if day >= since else 0)
        uses = use("ingress:tcp:8080", asked), use(PEER, asked, bytes_out=900, bytes_in=size)
        yield Window(replica(1), day * 86_400.0, day * 86_400.0 + 600, uses)
        yield Tick("n1", day * 86_400.0 + 700)


def test_drip_becomes_a_finding_with_its_numbers():
    """Thirty records a day above ninety."""
    pipeline = play([head(interval=600.0), born(1), *days(54, 30, 40)], Policy())
    (finding,) = pipeline.findings()
    assert finding.deviations[0].why == "creep" and finding.opened <= 47.1 * 86_400
    assert "% above the weeks before" in finding.signals[2].words and finding.signals[2].holds is not True


def test_twin_with_the_same_mean_all_along_gives_none():
    assert play([head(interval=600.0), born(1), *days(54, 30, 0)], Policy()).findings() == []


def pair(more: float, fall: float = 0.0, *, since: int = 45, count: int = 60, seed: int = 1):
    """Two peers of which each moves what the other does, within 2 %, while requests say little; what is told, by day."""
    rng, flows, told, sums = random.Random(seed), {"<a": Flow(), ">b": Flow()}, [], {"<a": 0, ">b": 0}
    asked = 0
    for key in flows:
        flows[key].add(-1, 0, 0)
    for day in range(count):
        asked += 600
        size = 600 * RECORD * math.exp(rng.gauss(0, 0.2))
        sums["<a"] += int(size * math.exp(rng.gauss(0, 0.02)) * (1 + more * (day >= since)))
        sums[">b"] += int(size * math.exp(rng.gauss(0, 0.02)) * (1 - fall * (day >= since)))
        for key in flows:
            flows[key].add(day, sums[key], asked)
        told += [(day, d) for key in flows if (d := creep._told(key, flows, list(flows), "request")) is not None]
    return told


@pytest.mark.parametrize("seed", range(5))
def test_a_drip_that_hides_in_the_days_shows_beside_the_flow_that_goes_with_it(seed):
    """D109: 15 % more where days differ by 20 %, found by day 7, and by then sure."""
    told = pair(0.15, seed=seed)
    assert [d.behaviour for _, d in told[:2]] == ["a", "a"] and "per byte out of b" in told[0][1].words
    assert told[0][0] <= 45 + 4 and told[1][0] <= 45 + 7 and told[1][1].total >= SURE
    assert 44 <= told[0][1].since <= 46


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_stay_as_they_are_are_not_told(seed):
    assert pair(0.0, seed=seed, count=200) == []


def test_where_one_flow_falls_the_other_has_not_crept():
    assert pair(0.0, 0.5) == []


def test_what_was_above_normal_before_the_days_that_are_judged_is_dated_back():
    found = cusum([100] * 25 + [140] * 14, 0)
    assert found.since == 25


@given(st.integers(2, 1 << 60))
def test_whole_number_logarithm_agrees_with_the_real_one(n):
    assert abs(log_steps(n) / UNIT - math.log(n)) < 0.03


def test_days_are_bounded_and_a_clock_that_jumps_begins_again():
    flow = Flow()
    for day in range(500):
        flow.add(day, day * 1_000, day * 50)
    assert len(flow.sizes) == 2 * creep.KEPT and flow.last == 499
    flow.add(10**6, 10**6, 10**6)
    assert flow.add(10**6 + 1, 2 * 10**6, 10**6 + creep.FEW - 1) == -1, "too few requests for a day to say something"
    assert (flow.start, len(flow.sizes)) == (10**6, 2)


flows = st.builds(Flow, st.just(-1), st.just(0), st.integers(0, 9), st.binary(max_size=6), st.binary(max_size=6))


@given(flows, flows, flows)
def test_merge_in_any_order(a, b, c):
    assert a.merged(b) == b.merged(a) and a.merged(b).merged(c) == a.merged(b.merged(c)) == a.merged(
        b.merged(c)
    ).merged(c)
