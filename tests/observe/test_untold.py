"""An exec is said in one delivered window, whenever the daemon that read it is killed."""

import pytest

from sensor.observe import untold
from sensor.observe.memory import Memory
from sensor.observe.untold import Exec, Untold


def row(time, slot=1):
    return Exec(slot, 1, time, 100 + time, "exec:/bin/sh<-", "", {"lineage": "sh"})


@pytest.fixture
def begin(tmp_path):
    """Daemons one after the other over one file; `told` is what the kernel side was told per slot."""

    def make(told):
        memory = Memory(tmp_path / "names", "e1")
        made = Untold(memory)
        for kind, *values in memory.recall():
            made.recall(kind, values, lambda slot: told.get(slot, 0))
        memory.begin(made.kept())
        return made

    return make


def said(daemon):
    return [r.time for r in daemon.again()]


def test_what_no_window_said_is_said_again(begin):
    first = begin({})
    assert first.keep(row(1)) and first.keep(row(2))
    assert said(begin({})) == [1, 2]
    assert said(begin({})) == [1, 2]  # its successor was killed before its window, too


@pytest.mark.parametrize(
    ("told", "left"),
    [pytest.param({1: 10}, [12], id="delivered"), pytest.param({}, [5, 12], id="not-delivered")],
)
def test_a_round_that_was_delivered_is_done_with(begin, told, left):
    first = begin({})
    first.keep(row(5))
    first.round(10, lambda slot: 0)
    first.keep(row(12))
    assert said(begin(told)) == left


def test_each_slot_goes_by_what_was_told_of_it(begin):
    first = begin({})
    first.keep(row(5, slot=1)), first.keep(row(6, slot=2))
    first.round(10, lambda slot: 0)
    assert said(begin({1: 10})) == [6]


def test_a_record_that_was_noted_and_not_given_back_counts_once(begin):
    begin({}).keep(row(5))
    second = begin({})
    assert said(second) == [5]
    assert not second.keep(row(5))
    assert second.keep(row(6))
    assert said(begin({})) == [5, 6]


def test_a_new_file_holds_what_is_not_delivered(begin, tmp_path):
    first = begin({})
    first.keep(row(5))
    first.round(10, lambda slot: 0)
    first.keep(row(12))
    Memory(tmp_path / "names", "e1").begin(first.kept())
    assert said(begin({1: 10})) == [12]


def test_what_is_delivered_or_given_back_is_forgotten():
    kept = Untold(Memory(None, ""))
    kept.keep(row(1, slot=1)), kept.keep(row(2, slot=2)), kept.keep(row(3, slot=3))
    kept.round(10, lambda slot: 10 if slot == 1 else 0)
    kept.forget(2)
    assert [r[3] for r in kept.kept() if r[0] == "exec"] == [3]


def test_rounds_that_wait_are_bounded(monkeypatch):
    monkeypatch.setattr(untold, "LARGEST", 10)
    kept = Untold(Memory(None, ""))
    for n in range(100):
        kept.keep(row(n))
        kept.round(n + 1, lambda slot: 0)
    assert len([r for r in kept.kept() if r[0] == "exec"]) == 10
