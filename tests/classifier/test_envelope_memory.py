"""What an envelope holds of bytes, sequences and call profiles: packed, exact, and read from older snapshots too."""

from hypothesis import given
from hypothesis import strategies as st

from classifier.envelope import items, volume
from classifier.envelope.cells import Cell
from classifier.envelope.envelope import Envelope
from classifier.envelope.items import Item
from classifier.envelope.profiles import Profiles
from classifier.envelope.sequences import FRESH, Sequences
from classifier.envelope.shared import Shared
from classifier.envelope.state import freeze, thaw
from classifier.policy import Policy
from tests.factories import SHOP, replica, use
from wire.records import Window

SIZES = st.lists(st.integers(1, 1 << 40), max_size=60)
DAY = 86_400.0
PEER = "egress:tcp:a:443"


def counted(sizes: list[int]) -> dict[int, int]:
    places = [volume.bucket(n) for n in sizes]
    return {b: places.count(b) for b in places}


@given(SIZES)
def test_a_packed_histogram_is_the_same(sizes):
    data = volume.packed(counted(sizes))
    assert volume.unpacked(data) == counted(sizes)
    assert volume.highest(data) == max(counted(sizes), default=-1)


@given(SIZES, SIZES)
def test_packing_loses_no_window(first, second):
    item, cell = Item(), Cell(0.0, 1.0)
    for sizes in (first, second):
        for n in sizes:
            cell.count_out(volume.bucket(n))
            cell.count_in(volume.bucket(2 * n))
        items.pack(item, cell)
    assert cell.sent() == counted(first + second) and cell.largest()[0] == max(cell.sent(), default=-1)
    assert items.pooled(item, [cell]) == (cell.sent(), cell.got())
    assert cell.moves == bool(first + second)


def moved(e: Envelope) -> dict[int, int]:
    return volume.pooled(lane.cells[PEER].sent() for lane in e.lanes.values())


def busy(days: int = 5, replicas: int = 3, policy: Policy | None = None) -> Envelope:
    e = Envelope(SHOP, policy or Policy())
    for hour in range(24 * days):
        for n in range(replicas):
            size = 1000 + 97 * (hour * 7 + n) % 5000
            e.learn(Window(replica(n), hour * 3600.0, hour * 3600 + 3600.0, (use(PEER, bytes_out=size, bytes_in=9),)))
    return e


def test_the_sum_over_replicas_follows_what_they_pack():
    e = busy()
    assert any(lane.cells[PEER].past_out for lane in e.lanes.values())
    assert e.volume_of(PEER)[0] == moved(e) == e.volumes()[0]
    again = thaw(freeze(e))
    assert again.volume_of(PEER) == e.volume_of(PEER) and again.to_dict() == e.to_dict()


def test_folded_replicas_stay_in_the_sum():
    e = busy(policy=Policy(max_lanes=2))
    assert e.volume_of(PEER)[0] == moved(e) and volume.count(moved(e)) == 24 * 5 * 3


def test_equal_days_are_one_object():
    days = [id(lane.cells[PEER].days) for lane in busy().lanes.values()]
    assert len(set(days)) == 1


def test_sharing_keeps_what_is_there():
    s = Shared()
    assert s.grown({1}, 2, frozenset) is s.one([2, 1]) and s.same("ab") is s.same("a" + "b")


@given(st.lists(st.integers(-1, 1 << 33), max_size=50), st.lists(st.integers(0, 1 << 30), max_size=2 * FRESH))
def test_sequences_are_a_set(odd, some):
    known = Sequences()
    known.update(odd)
    known.update(some)
    known.update(some)
    every = {*odd, *some}
    assert set(known) == every and len(known) == len(every) and all(g in known for g in every)
    assert -7 not in known and (1 << 40) not in known


def test_an_older_snapshot_is_read():
    """Cells held dictionaries of bytes, envelopes a set of sequences, profiles dictionaries of calls (format 1, 0.1.0)."""
    e = busy(1, 1)
    cell = e.lanes[replica(0), ""].cells[PEER]
    cell.out, cell.into, cell.past_out, cell.past_in = cell.sent(), cell.got(), b"", b""
    e.grams = {5, 7}
    e.profiles.kept = [{1: 2}]
    again = thaw(freeze(e))
    assert sorted(again.grams) == [5, 7] and again.volume_of(PEER)[0] == cell.out
    assert again.profiles.merge(Profiles(4)).kept == again.profiles.kept != [{1: 2}]
