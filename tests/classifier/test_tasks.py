"""Deviations that one turn of an agent brought are one cause within a minute; those of other turns are not."""

from __future__ import annotations

import pytest

from classifier.drift.cause import UNEXPLAINED, Cause
from classifier.drift.judgement import _belongs
from classifier.drift.sighting import TASKS, Sighting
from classifier.drift.ward import Ward
from classifier.envelope.envelope import Envelope
from classifier.envelope.state import freeze, thaw
from classifier.policy import DAY, Policy
from tests.factories import SHOP, replica

POLICY = Policy().scaled(DAY / 3)  # a day takes three seconds, as in the live story


def seen(behaviour, first, last, *tasks, number=1):
    s = Sighting(behaviour, "new", first, last, last)
    s.see(replica(number), None, first, last, uses=1, events=0)
    s.during(tasks)
    return s


def together(one, two, policy=POLICY):
    ward = Ward(SHOP, Envelope(SHOP, policy), {"new|read": one})
    return _belongs(ward, two, Cause("c", SHOP, UNEXPLAINED, one.first, one.last, ["new|read"]), UNEXPLAINED)


@pytest.mark.parametrize(
    ("first", "last", "tasks", "then", "is_one"),
    [
        pytest.param(0.0, 7.0, ["ZD-1"], 7.1, True, id="slow-read-and-its-write"),
        pytest.param(0.0, 7.0, ["ZD-9"], 7.1, False, id="another-turn"),
        pytest.param(0.0, 7.0, [], 7.1, False, id="no-words"),
        pytest.param(0.0, 1.0, [], 1.5, True, id="no-words-but-near"),
        pytest.param(0.0, 7.0, ["ZD-1"], 17.0, True, id="in-the-minute"),
        pytest.param(0.0, 900.0, ["ZD-1"], 61.0, False, id="a-turn-that-never-ends"),
    ],
)
def test_one_turn_is_one_task_for_a_minute(first, last, tasks, then, is_one):
    """A read of seven seconds, and a write that was a finding of its own for it (#5)."""
    assert together(seen("read", first, last, *tasks), seen("write", then, then, "ZD-1")) is is_one


def test_a_turn_of_another_replica_is_no_reason():
    assert not together(seen("read", 0.0, 7.0, "ZD-1"), seen("write", 7.1, 7.2, "ZD-1", number=2))


def test_the_order_in_which_the_two_are_judged_decides_nothing():
    read, write = seen("read", 0.0, 7.0, "ZD-1"), seen("write", 7.1, 7.2, "ZD-1")
    assert together(read, write) and together(write, read)


def test_a_shell_of_somebody_takes_nothing_in_that_is_not_near():
    """Beside one, a theft of critical severity became a finding of medium."""
    shell, theft = seen("exec:/bin/sh<runc", 0.0, 7.0, "ZD-1"), seen("write", 7.1, 7.2, "ZD-1")
    assert not together(shell, theft) and not together(theft, shell)


def test_a_sighting_keeps_the_turns_of_its_beginning_and_a_snapshot_has_them():
    """One that goes on for days would else share a turn with all that is new."""
    s = seen("read", 0.0, 7.0, *(f"ZD-{n}" for n in range(50)))
    s.during(["ZD-99"])
    assert [*s.tasks] == [f"ZD-{n}" for n in range(TASKS)]
    assert thaw(freeze(s)) == s
