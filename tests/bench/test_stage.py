"""Who shares the system call path is waited for once, and not for ever."""

from bench.stage import Neighbours


def counts(*values):
    left = list(values)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_it_waits_until_others_have_left():
    neighbours = Neighbours(counts(2, 1, 0))
    neighbours.leave(60.0)
    assert neighbours.staying == 0


def test_who_stays_is_told_and_not_waited_for_again():
    neighbours = Neighbours(counts(3))
    neighbours.leave(0.0)
    assert neighbours.staying == 3
    neighbours.leave(1e9)  # returns, though they are still there


def test_who_comes_later_is_waited_for():
    neighbours = Neighbours(counts(3))
    neighbours.leave(0.0)
    neighbours._count = counts(4, 4, 3)
    neighbours.leave(60.0)
    assert neighbours.staying == 3
