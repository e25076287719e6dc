"""Which process is the server, and which lanes belong together."""

import pytest

from sensor.observe.stdio.kin import UP, Kin, parent_of
from sensor.observe.stdio.lane import Lane
from sensor.observe.stdio.link import Connection, Link, direction_of, partner

FAMILY = {5: 1, 10: 5, 20: 10, 21: 10, 30: 20}


def lane(first, reader=20, writer=10, number=1, mate=0):
    return Lane(number, 1, 1, reader, writer, mate, 0, state="spoken", first=first)


@pytest.mark.parametrize(
    "first,reader,writer,expected",
    [
        pytest.param({"method": "initialize"}, 10, 20, "sent", id="words-before-family"),
        pytest.param({"method": "sampling/createMessage"}, 20, 10, "received", id="a-servers-request"),
        pytest.param({"result": {"serverInfo": {}}}, 20, 10, "received", id="an-answer-that-names-its-server"),
        pytest.param({"method": "own/thing"}, 20, 10, "sent", id="to-a-child"),
        pytest.param({"method": "own/thing"}, 10, 30, "received", id="from-a-grandchild"),
        pytest.param({"result": {}}, 20, 10, "sent", id="an-answer-to-a-child"),
        pytest.param({"method": "own/thing"}, 20, 21, "sent", id="siblings-a-request"),
        pytest.param({"result": {}}, 20, 21, "received", id="siblings-an-answer"),
        pytest.param({"method": ["x"]}, 20, 0, "sent", id="a-method-that-is-no-name"),
    ],
)
def test_a_direction_is_told_by_words_then_by_the_family(first, reader, writer, expected):
    first = first if not isinstance(first.get("method"), list) else {"method": "x"}
    assert direction_of(lane(first, reader, writer), Kin(FAMILY.get)) == expected


def joined(new, *others):
    """Indices of the conversations that a lane of answers joins."""
    links = []
    for n, other in enumerate(others):
        links.append(Link(Connection(1, other.writer, other.reader, n, 1), {"sent": other}))
    found = partner(new, "received", links, Kin(FAMILY.get))
    return None if found is None else links.index(found)


ANSWER, ASK = {"result": {}}, {"method": "tools/list"}


@pytest.mark.parametrize(
    "new,others,expected",
    [
        pytest.param(lane(ANSWER, 10, 20), [lane(ASK, 21, 10), lane(ASK, 20, 10)], 1, id="each-others"),
        pytest.param(lane(ANSWER, 10, 30), [lane(ASK, 20, 10)], 0, id="a-servers-child-writes"),
        pytest.param(lane(ANSWER, 10, 21), [lane(ASK, 20, 10)], None, id="another-child-of-the-client"),
        pytest.param(lane(ANSWER, 5, 20), [lane(ASK, 20, 10)], 0, id="another-process-reads"),
        pytest.param(lane(ANSWER, 10, 0), [lane(ASK, 20, 10)], None, id="nobody-knows-who-wrote"),
        pytest.param(lane(ANSWER, 5, 20), [lane(ASK, 20, 10), lane(ASK, 20, 21)], None, id="two-that-may-be-it"),
        pytest.param(lane(ANSWER, 9, 0, 7, 8), [lane(ASK, 20, 10), lane(ASK, 9, 0, 8, 7)], 1, id="a-socketpair"),
        pytest.param(lane(ANSWER, 0, 0), [lane(ASK, 0, 0)], None, id="nothing-known"),
    ],
)
def test_a_lane_joins_its_other_half_or_none(new, others, expected):
    assert joined(new, *others) == expected


def test_ancestors_end_at_the_first_process_in_a_circle_and_after_some():
    assert Kin(FAMILY.get).ancestors(30) == [20, 10, 5]
    assert Kin({1: 2, 2: 3, 3: 2}.get).ancestors(3) == [2, 3]
    assert len(Kin(lambda pid: pid + 1).ancestors(2)) == UP


def test_a_process_that_is_gone_is_remembered_when_it_was_hinted_at():
    known = {40: 10}
    kin = Kin(known.get)
    kin.note(40)
    known.clear()
    assert kin.descends(40, 10)
    assert not kin.descends(41, 10)


def test_the_parent_comes_from_proc_whatever_the_process_calls_itself(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_bytes(b"7 (a) S 3 (\n) S 42 7 7 0")
    assert parent_of(7, tmp_path) == 42
    assert parent_of(8, tmp_path) is None
    (tmp_path / "7/stat").write_bytes(b"")
    assert parent_of(7, tmp_path) is None
