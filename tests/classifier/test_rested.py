"""What replicas that have ended showed is packed, and equal to what it was."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.envelope.cells import NO_LIMIT, Cell, Lane
from classifier.envelope.envelope import Envelope
from classifier.envelope.rested import Rested, days_of, rest, wake
from classifier.envelope.shared import Shared
from classifier.envelope.state import freeze, thaw
from classifier.pipeline import Pipeline
from classifier.policy import Policy
from tests.factories import SHOP, identity, replica, use
from wire.records import Tick, Window

HOUR, DAY = 3600.0, 86_400.0
PEERS = [f"egress:tcp:p{n}:443" for n in range(6)]

histograms = st.none() | st.dictionaries(st.integers(0, 900), st.integers(1, 1 << 40), max_size=5)
days = st.frozensets(st.integers(0, 1 << 20), max_size=4)
big = st.integers(0, 1 << 70)  # a sum may be beyond 64 bits
cells = st.builds(
    Cell,
    *(st.floats(0, 1e10), st.floats(0, 1e10), big, big, st.integers(-1, 1 << 30), days, st.integers(0, (1 << 168) - 1)),
    *(histograms, histograms, st.frozensets(st.text(max_size=5), max_size=3), st.integers(0, 500)),
    *(st.integers(0, NO_LIMIT), st.integers(0, NO_LIMIT), st.booleans(), st.binary(max_size=9), st.binary(max_size=9)),
)


@given(st.dictionaries(st.text(max_size=9), cells, max_size=6))
def test_what_wakes_is_what_was_laid_to_rest(some):
    packed = Rested(some, Shared())
    assert packed == some and packed.awake() == some and list(packed) == list(some) and len(packed) == len(some)
    assert {b: packed[b] for b in some} == some and dict(packed.items()) == some
    assert list(packed.values()) == list(some.values())
    assert freeze(packed) == freeze(some)


def test_what_is_not_there_is_not_found():
    packed = Rested({"a": Cell(0.0, 1.0)}, Shared())
    assert "b" not in packed and packed.get("b") is None
    with pytest.raises(KeyError):
        packed["b"]


def test_a_cell_of_a_replica_that_ended_cannot_be_set():
    lane = Lane(replica(0), "", None, {"a": Cell(0.0, 1.0)})
    rest(lane, Shared())
    with pytest.raises(TypeError):
        lane.cells["b"] = Cell(0.0, 1.0)
    wake(lane)
    lane.cells["b"] = Cell(0.0, 1.0)
    assert days_of(lane) == {frozenset()}


def windows(n, first, last):
    """Hourly windows of a replica."""
    for hour in range(first, last):
        uses = tuple(use(p, bytes_out=1000 + 97 * (hour + n) % 5000, bytes_in=9) for p in PEERS)
        yield Window(replica(n), hour * HOUR, (hour + 1) * HOUR, uses, {1: 5, 40 + n: 2})


def churn(*, ends: bool, restored: bool = False) -> Envelope:
    """Replicas that live five hours, one after the other, over some days; one of them shows something after its end."""
    e = Envelope(SHOP, Policy(max_lanes=12))
    for n in range(20):
        for w in windows(n, 5 * n, 5 * n + 5):
            e.learn(w)
        if ends:
            e.ended(replica(n), (5 * n + 5) * HOUR)
        else:
            e.ledger.close(replica(n), (5 * n + 5) * HOUR)
        if restored:
            e = thaw(freeze(e))
    for w in windows(19, 100, 102):
        e.learn(w)
    return e


@pytest.mark.parametrize("restored", [False, True], ids=["one run", "restored each time"])
def test_an_envelope_says_the_same_of_packed_replicas(restored):
    plain, packed = churn(ends=False), churn(ends=True, restored=restored)
    assert freeze(packed) == freeze(plain)
    assert packed.to_dict() == plain.to_dict() and packed.coverages() == plain.coverages()
    assert packed.merge(plain).to_dict() == plain.merge(plain).to_dict()


def asleep(e: Envelope) -> int:
    return sum(isinstance(lane.cells, Rested) for lane in e.lanes.values())


def test_what_a_sweep_has_woken_is_packed_again_as_others_end():
    e = churn(ends=True)
    before = asleep(e)
    assert before > 3 and isinstance(e.lanes[replica(19), ""].cells, dict)  # it showed something after its end
    e.sweep(int(e.last // DAY) + 1)
    assert asleep(e) == 0
    for _ in range(4):
        e.ended(replica(19), e.last)
    assert asleep(e) > before


def test_what_many_replicas_have_in_common_is_one_object():
    shared = Shared()
    one, two = ({p: Cell(float(n), 9.0, days=frozenset({3}), week=1 << 70) for p in PEERS} for n in range(2))
    first, second = Rested(one, shared), Rested(two, shared)
    assert first._places is second._places and first._common is second._common
    assert first["egress:tcp:p0:443"].days is second["egress:tcp:p5:443"].days
    assert len(first._data) < 70 * len(PEERS)


def mixed(n: int) -> Window:
    """A replica's only window, with an order of first sights of its own."""
    order = PEERS[n % len(PEERS) :] + PEERS[: n % len(PEERS)]
    turned = [use(p) for p in (order[::-1] if n >= len(PEERS) else order)]
    return Window(replica(n), n * HOUR, (n + 1) * HOUR, tuple(turned), {})


def orders(e: Envelope) -> int:
    return len(e.shared._places)


def test_orders_of_names_go_with_the_replicas_that_had_them():
    e = Envelope(SHOP, Policy(max_lanes=4))
    for n in range(12):
        e.learn(mixed(n))
        e.ended(replica(n), (n + 1) * HOUR)
    assert orders(e) <= 4


def test_orders_of_names_go_with_the_day():
    e = Envelope(SHOP, Policy())
    for n in range(12):
        e.learn(mixed(n))
        e.ended(replica(n), (n + 1) * HOUR)
    assert orders(e) == 12
    for day in range(8, 10):  # no day of sharing
        e.sweep(day)
        assert orders(e) == 0


def test_what_a_sweep_has_woken_is_packed_again_where_nothing_ends_any_more():
    pipeline = Pipeline(Policy())
    for n in range(9):
        pipeline.feed(identity(n))
        pipeline.feed(Window(replica(n), n * HOUR, (n + 1) * HOUR, (use(PEERS[0]),), {}))
        pipeline.feed(replace(identity(n), ended=(n + 1) * HOUR))
    e = pipeline.envelope(SHOP)
    pipeline.feed(Tick("n1", 2 * DAY))
    assert 0 < asleep(e) < 9
    for n in range(3):
        pipeline.feed(Tick("n1", 2 * DAY + 10.0 * n))
    assert asleep(e) == len(e.lanes) == 9
