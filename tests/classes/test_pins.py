"""Pins: the same set in any order says the same, unknown ones have no effect, bounds hold."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.classes import pins as module
from classifier.classes.pins import KEPT, Pins, known
from tests.factories import SHOP
from wire.records import Pin, Workload

PINS = st.builds(
    Pin,
    st.floats(0, 1e9),
    st.sampled_from([Workload("a"), Workload("b")]),
    st.sampled_from(["class", "track", "data", "colour"]),
    st.sampled_from(["", "web-service", "regulated", "phi"]),
    st.sampled_from(["ann", "bob"]),
)


def pinned(*pins: Pin) -> Pins:
    out = Pins()
    for pin in pins:
        out.take(pin)
    return out


@settings(max_examples=60, deadline=None)
@given(st.lists(PINS, max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_pins_says_the_same(pins: list[Pin], rng: random.Random):
    shuffled = rng.sample(pins, len(pins))
    assert pinned(*pins).kept == pinned(*shuffled, *shuffled[:3]).kept


@pytest.mark.parametrize(
    ("pins", "value"),
    [
        pytest.param([(1.0, "web-service")], "web-service", id="one"),
        pytest.param([(2.0, "web-service"), (1.0, "tool-user")], "web-service", id="the-later-one-came-first"),
        pytest.param([(1.0, "web-service"), (2.0, "")], "", id="taken-back"),
        pytest.param([(1.0, "toaster")], "", id="no-such-class"),
        pytest.param([], "", id="none"),
    ],
)
def test_the_latest_pin_by_its_own_time_holds(pins, value):
    assert pinned(*(Pin(t, SHOP, "class", v, "ann") for t, v in pins)).value(SHOP, "class") == value


@pytest.mark.parametrize(
    "pin",
    [
        pytest.param(Pin(float("nan"), SHOP, "data", "x", "ann"), id="no-time"),
        pytest.param(Pin(1.0, SHOP, "allow", "x", "ann", until=float("inf")), id="no-end"),
        pytest.param(Pin(1.0, SHOP, "data", "x" * 9000, "ann"), id="too-long"),
    ],
)
def test_what_only_a_hostile_trace_holds_has_no_effect(pin):
    assert not Pins().take(pin)


def test_a_pin_that_has_no_effect_is_told():
    assert not Pins().take(Pin(1.0, SHOP, "colour", "red", "ann"))
    assert known("data", "anything") and not known("enforcement", "perhaps")


def test_history_and_workloads_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    many = pinned(*(Pin(float(t), SHOP, "data", str(t), "ann") for t in range(2 * KEPT)))
    assert len(many.history(SHOP, "data")) == KEPT and many.value(SHOP, "data") == str(2 * KEPT - 1)
    assert many.take(Pin(1.0, Workload("b"), "data", "x", "ann"))
    assert not many.take(Pin(1.0, Workload("c"), "data", "x", "ann"))


def allow(time: float, until: float, behaviour: str = "egress:x") -> Pin:
    return Pin(time, SHOP, "allow", behaviour, "ann", until=until)


@pytest.mark.parametrize(
    ("pins", "allowed"),
    [
        pytest.param([allow(1.0, 50.0)], ["egress:x"], id="runs"),
        pytest.param([allow(1.0, 9.0)], [], id="over"),
        pytest.param([allow(2.0, 2.0), allow(1.0, 50.0)], [], id="revoked"),
        pytest.param([allow(1.0, 5.0), allow(2.0, 50.0)], ["egress:x"], id="prolonged"),
        pytest.param([allow(1.0, 50.0), allow(1.0, 50.0, "exec:y")], ["egress:x", "exec:y"], id="two"),
        pytest.param([Pin(1.0, SHOP, "data", "x", "ann", until=50.0)], [], id="another-kind"),
    ],
)
def test_what_is_allowed_ends_by_itself_or_when_it_is_revoked(pins, allowed):
    assert [p.value for p in pinned(*pins).allowed(SHOP, 10.0)] == allowed
