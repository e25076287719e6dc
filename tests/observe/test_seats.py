"""Who has which slot, while slots pass on."""

import numpy as np
import pytest

from sensor.observe.memory import Memory
from sensor.observe.seats import Seats
from sensor.probes import abi


@pytest.fixture
def seats():
    return Seats(node="n", epoch="e", boot=1, to_time=lambda ns: ns / 1e9, memory=Memory(None, "e"))


def record(**values):
    row = np.zeros((), abi.PATH_FACT)
    for name, value in ({"slot": 1, "generation": 1, "a": 77, "time": 5} | values).items():
        row[name] = value
    return row[()]


def test_each_replica_is_fresh_once(seats):
    first, second = seats.seat(1, 1, 77, "/a", 0), seats.seat(2, 1, 78, "/b", 0)
    assert seats.fresh() == [first, second]
    seats.take(record())  # of one that was found already
    assert seats.fresh() == []


def test_who_had_a_slot_before_it_was_told_of_is_not_fresh(seats):
    seats.seat(1, 1, 77, "/a", 0)
    later = seats.seat(1, 2, 78, "/b", 0)
    seats.seat(2, 1, 79, "/c", 0)
    del seats.replicas[2]
    assert seats.fresh() == [later]


def test_a_record_is_its_holders_and_late_for_everybody_else(seats):
    o = seats.seat(1, 2, 77, "/a", 0)
    assert seats.of(record(generation=2)) is o and seats.late == 0
    assert seats.of(record(generation=1)) is seats.of(record(slot=3)) is None
    assert seats.late == 2


def test_ids_of_events_rise_though_two_facts_have_one_time(seats):
    o = seats.seat(1, 1, 77, "/a", 0)
    made = [seats.event(o, record(time=time), "fork", None, {"pid": 5, "empty": ""}) for time in (100, 100, 90, 200)]
    assert [e.id for e in made] == ["n/e/100", "n/e/101", "n/e/102", "n/e/200"]
    assert made[0].data == {"pid": 5}
