"""Bounds by trigger, load, invocation and hour of the week."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.envelope.cells import NO_LIMIT
from classifier.envelope.envelope import Envelope
from classifier.envelope.quantities import COUNTS, Moved, Quantities, coarse, load_for, loads, upper
from classifier.envelope.strangers import OUT
from classifier.policy import Policy
from tests.factories import SHOP, replica, use
from wire.records import Window

POLICY = Policy()
PEER = "egress:tcp:a:443"


def busy(e: Envelope, hours: range, requests: int, size: int, trail: str = "worker") -> list:
    """One window an hour: requests that come in, and bytes that go out for them."""
    out = []
    for hour in hours:
        uses = (
            use("ingress:tcp:8080", requests, data={"lineage": trail}),
            use(PEER, requests, bytes_out=size, data={"lineage": trail}),
        )
        out += e.learn(
            Window(replica(1), hour * 3600.0, hour * 3600.0 + 10, uses), accept=-1 if e.stage[0] == "c" else 3
        )
    return out


def served(size: int = 30_000) -> Envelope:
    e = Envelope(SHOP, POLICY)
    busy(e, range(24 * 20), 10, size)
    return e


@pytest.mark.parametrize(
    ("requests", "size", "why"),
    [
        pytest.param(10, 30_000, [], id="as-ever"),
        pytest.param(50, 150_000, [], id="five-times-the-requests-and-bytes"),
        pytest.param(10, 150_000, [OUT], id="five-times-the-bytes-alone"),
        pytest.param(1, 150_000, [OUT], id="one-request"),
        pytest.param(10_000, 300_000_000, [OUT], id="no-load-explains-everything"),
    ],
)
def test_bounds_depend_on_the_load(requests, size, why):
    """D057."""
    assert [s.why for s in busy(served(), range(481, 482), requests, size)] == why


def test_stranger_says_which_bound_broke_with_its_numbers():
    (s,) = busy(served(), range(481, 482), 10, 150_000)
    assert s.words == "out: 150000 bytes by worker at a load of 10; largest known at such a load 32767, bound 61438"


def test_each_trigger_has_its_own_bound():
    """FX-1: what the export moves is no excuse for the worker."""
    e = Envelope(SHOP, POLICY)
    for day in range(20):
        busy(e, range(24 * day, 24 * day + 23), 10, 10_000)
        busy(e, range(24 * day + 23, 24 * day + 24), 10, 18_000_000, "export.py")
    assert [s.why for s in busy(e, range(481, 482), 10, 4_900_000)] == [OUT]
    assert busy(e, range(503, 504), 10, 18_500_000, "export.py") == []


def test_an_hour_of_the_week_has_its_own_bound():
    e = Envelope(SHOP, POLICY)
    for hour in range(24 * 28):
        busy(e, range(hour, hour + 1), 10, 2_000_000 if hour % 24 < 3 else 40_000)
    night, noon = 24 * 28 + 1, 24 * 28 + 12
    assert busy(e, range(night, night + 1), 10, 2_000_000) == []
    (s,) = busy(e, range(noon, noon + 1), 10, 1_900_000)
    assert "hour" in s.words and "of the week" in s.words


def test_own_invocations_are_no_load():
    w = Window(replica(1), 0.0, 1.0, (use(PEER, 2_400), use("open:data:/x", 3)))
    assert load_for(2_400, loads(w)) == 3


def test_bound_rises_by_a_bucket_a_fortnight_at_most():
    """Kloft and Laskov: an attacker who stays below the bound moves it slowly."""
    e = served()
    for week in range(3, 11):
        for hour in range(168 * week, 168 * week + 168):
            busy(e, range(hour, hour + 1), 10, 60_000)
    row = e.quantities.rows[f">{PEER}|worker"]
    assert upper(max(row[:COUNTS])) <= 32_767 * 1.25**5


def test_one_of_many_replicas_does_not_set_the_bound_of_all():
    e = Envelope(SHOP, POLICY)
    for hour in range(24 * 10):
        for n in (1, 2, 3, 4):
            size = 5_000_000 if n == 1 else 20_000
            w = Window(replica(n), hour * 3600.0, hour * 3600.0 + 10, (use(PEER, bytes_out=size),))
            e.learn(w, accept=3)
    assert e.items[PEER].limit_out <= 4 * 20_479


@pytest.mark.parametrize("size", [POLICY.volume_floor - 1, 0])
def test_nothing_below_the_floor_is_a_deviation(size):
    assert busy(served(), range(481, 482), 1, size) == []


rows = st.dictionaries(st.sampled_from(["<a|x", ">a|x", ">b|"]), st.binary(min_size=203, max_size=203), max_size=3)


@given(rows, rows, rows)
def test_merge_is_commutative_associative_and_idempotent(one, two, three):
    a, b, c = Quantities(9, one), Quantities(9, two), Quantities(9, three)
    assert a.merge(b) == b.merge(a) and a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(b).merge(b) == a.merge(b)


@given(st.integers(0, 1 << 70))
def test_coarse_buckets_hold_what_they_name(n):
    b = coarse(n)
    assert 0 <= b <= 255 and (n >= 1 << 63 or n <= upper(b) <= n * 1.25 + 3)


def test_rows_are_bounded_and_what_is_beyond_is_said():
    q = Quantities(2)
    moved = Moved(20_000, 1, 1, 0)
    assert [q.learn(">", f"b{n}", "", moved, bounded=False) for n in range(3)] == [True, True, False]
    assert q.broken(">", "b2", "", moved, NO_LIMIT, POLICY, own=False).words == ""


def test_a_person_widens_a_bound():
    e = served()
    e.widen(PEER, 150_000, 0, ["worker"], 0.0)
    assert busy(e, range(481, 482), 10, 150_000) == []
