"""What outlives a kill."""

import msgpack
import pytest

from sensor.observe import memory
from sensor.observe.memory import Memory


def recalled(path, epoch="e"):
    return list(Memory(path, epoch).recall())


def test_rows_are_recalled_in_order(tmp_path):
    one = Memory(tmp_path / "n", "e")
    one.begin([["seat", 1]])
    one.keep("file", 2, "x")
    assert recalled(tmp_path / "n") == [["seat", 1], ["file", 2, "x"]]


def test_another_epoch_is_another_memory(tmp_path):
    Memory(tmp_path / "n", "e").begin([["seat", 1]])
    assert recalled(tmp_path / "n", "later") == []


@pytest.mark.parametrize("cut", range(0, 20))
def test_a_row_that_a_kill_cut_ends_it(tmp_path, cut):
    one = Memory(tmp_path / "n", "e")
    one.begin([])
    one.keep("file", 1, "abc")
    one.keep("file", 2, "def")
    data = (tmp_path / "n").read_bytes()
    (tmp_path / "n").write_bytes(data[: len(data) - cut] if cut < len(data) else b"")
    assert recalled(tmp_path / "n") in ([["file", 1, "abc"], ["file", 2, "def"]], [["file", 1, "abc"]], [])


@pytest.mark.parametrize(
    "data",
    [b"\xc1" * 9, b"\xa2\xff\xfe", msgpack.packb("e") + b"\xd9\x05\xff\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff"],
)
def test_damage_is_no_memory(tmp_path, data):
    (tmp_path / "n").write_bytes(data)
    assert recalled(tmp_path / "n") == []


def test_no_path_is_no_memory():
    one = Memory(None, "e")
    one.begin([["seat", 1]])
    one.keep("file", 1)
    assert list(one.recall()) == []


def test_full_it_says_so_and_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "LARGEST", 50)
    one = Memory(tmp_path / "n", "e")
    one.begin([])
    for i in range(30):
        one.keep("file", i)
    assert one.full and len(recalled(tmp_path / "n")) < 30
    one.begin([["seat", 1]])
    assert not one.full
    one.keep("file", 99)
    assert recalled(tmp_path / "n") == [["seat", 1], ["file", 99]]


def test_a_disk_that_refuses_ends_the_memory_and_not_the_daemon(tmp_path):
    one = Memory(tmp_path / "absent" / "n", "e")
    one.begin([["seat", 1]])
    one.keep("file", 1)
    assert recalled(tmp_path / "absent" / "n") == []
