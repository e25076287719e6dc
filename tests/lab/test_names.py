"""The simulator names things as a sensor does."""

from __future__ import annotations

import pytest

from classifier.lab.simulate import TYPES, Plan, deployment
from sensor.observe.classes import file_behaviour, identity_of
from sensor.observe.names import cut, escaped
from wire.records import Event

PLAN = Plan(seed=21, learn_days=6, days=20, attacks=12.0)


def named(behaviour: str) -> str:
    """What the sensor would call the file or address of a behaviour."""
    head, _, rest = behaviour.partition(":")
    kind, _, path = rest.partition(":")
    if kind == "metadata":
        return str(identity_of(path))
    return file_behaviour(path, head == "write") if path.startswith("/") and "*" not in path else behaviour


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_files_and_identities_have_the_names_that_a_sensor_gives_them(index):
    events = [r for r in deployment(PLAN, index)[0] if isinstance(r, Event)]
    files = {str(e.behaviour) for e in events if e.kind in ("open", "identity") and str(e.behaviour)[:4] != "exec"}
    assert {b: named(b) for b in files if named(b) != b} == {}


@pytest.mark.parametrize("index", range(len(TYPES)))
def test_no_name_needs_escaping_or_cutting(index):
    for e in (r for r in deployment(PLAN, index)[0] if isinstance(r, Event)):
        plain = str(e.behaviour).partition("<")
        assert escaped(plain[0]) == plain[0] and cut(str(e.behaviour)) == e.behaviour
