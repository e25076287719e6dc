"""What rows of the kernel's tables stand for, over restarts and slots that pass on."""

from sensor.observe.memory import Memory
from sensor.observe.replicas import Observed
from sensor.observe.rows import Row, Rows, grown
from tests.factories import replica
from wire.records import Behaviour

OPEN = Behaviour("open:data:/srv/x")


def observed(slot=1, generation=1, since=100.0):
    return Observed(replica(slot), slot, generation, "/lab", since)


def row(slot=1, generation=1, event="e1", **data):
    return Row(slot, generation, OPEN, event, data)


def test_a_row_is_its_replicas_and_nobody_elses_who_has_the_slot_later():
    rows = Rows("file", Memory(None, "e"))
    rows.keep(7, row())
    assert rows.get(7, observed()) == row()
    assert rows.get(7, observed(generation=2)) is rows.get(7, observed(slot=2)) is rows.get(8, observed()) is None


def test_a_restart_knows_what_was_kept_but_for_what_was_given_back(tmp_path):
    memory = Memory(tmp_path / "names", "e")
    memory.begin([])
    rows, again = Rows("file", memory), Rows("file", memory)
    for number, slot in ((1, 1), (2, 1), (3, 2), (4, 2)):
        rows.keep(number, row(slot=slot, lineage="sh"))
    rows.forget([3])
    rows.forget_slot(1)
    memory.begin(rows.kept())
    for kind, *values in memory.recall():
        assert kind == "file"
        again.recall(*values)
    assert again.kept() == [["file", 4, 2, 1, OPEN, "e1", {"lineage": "sh"}]]
    assert again.get(4, observed(slot=2)) == row(slot=2, lineage="sh")


def test_what_two_rows_grew_is_added_up_for_one_owner_and_dated_into_the_window():
    o = observed()
    for first, opens, address in ((50.0, 2, "10.0.0.1"), (140.0, 3, "10.0.0.2")):
        grown(o, OPEN, row(lineage="sh"), count=opens, first=first, extra={"opens": opens, "address": address})
    grown(o, OPEN, row(event="e2", lineage="export"), count=1, first=120.0)
    uses, _, _ = o.drain()
    assert [(u.data["lineage"], u.count, u.first, u.evidence) for u in uses] == [
        ("export", 1, 120.0, ("e2",)),
        ("sh", 5, 100.0, ("e1",)),
    ]
    assert (uses[1].data["opens"], uses[1].data["address"]) == (5, "10.0.0.2")
