"""What was asked for once."""

from sensor.observe.once import Once
from tests.factories import replica


def test_a_key_is_new_once_to_each_replica():
    seen = Once(10)
    seen.add(replica(1), "a")
    assert not seen.is_new(replica(1), "a")
    assert seen.is_new(replica(1), "b") and seen.is_new(replica(2), "a")


def test_it_is_bounded_over_all_replicas_and_an_ended_one_makes_room():
    seen = Once(3)
    for number, key in ((1, "a"), (1, "b"), (2, "a")):
        seen.add(replica(number), key)
    assert not seen.is_new(replica(3), "a")
    seen.forget(replica(1))
    seen.forget(replica(9))
    assert seen.is_new(replica(1), "a") and not seen.is_new(replica(2), "a")
    for key in "ab":
        seen.add(replica(3), key)
    assert not seen.is_new(replica(3), "c")
