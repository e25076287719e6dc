"""Files that are opened: new ones, counted ones, and rows whose record was lost."""

from sensor.observe.memory import Memory
from sensor.observe.told import Told
from sensor.probes import abi
from tests.observe.rings import batch, kernel, observer, path, rows, seated


def test_a_second_model_of_one_template_is_told_without_a_behaviour_and_its_shards_once():
    """llama-8 was not seen: its path has the template of llama-7, so it was no new behaviour."""
    parts = [("llama-7", "a.gguf"), ("llama-8", "a.gguf"), ("llama-8", "a.gguf"), ("llama-8", "notes-1.txt")]
    parts += [("llama-9", "notes-2.txt"), ("l", "m-00001-of-00002.gguf"), ("l", "m-00002-of-00002.gguf")]
    opens = [
        {"kind": abi.OPEN, "time": n, "pid": 5, "a": n, "path": path("models", *p)} for n, p in enumerate(parts, 1)
    ]
    events = seated().take(batch(paths=rows("paths", *opens)))
    assert [(e.behaviour is not None, "/".join(e.data["path"].split("/")[2:])) for e in events] == [
        (True, "llama-7/a.gguf"),
        (False, "llama-8/a.gguf"),
        (True, "llama-8/notes-1.txt"),
        (True, "l/m-00001-of-00002.gguf"),
    ]


def test_a_cut_path_of_a_file_does_not_look_absolute():
    from sensor.observe.classes import file_behaviour
    from sensor.observe.names import path as joined

    assert file_behaviour(joined(b"shadow\0etc\0", cut=True), False) == "open:data:…/etc/shadow"


def test_a_file_whose_record_was_lost_is_a_loss():
    o, k = seated(), kernel()
    k.slots[1]["generation"] = 1
    row = k.files[2]
    row["slot"], row["generation"], row["used"], row["count"] = 1, 1, 1, 9
    [window] = o.windows(k, Told(k), 10**9)
    assert window.loss == {"names of files": 1}


def test_a_file_that_is_opened_while_the_window_is_made_waits_for_its_record():
    """On a slow machine (6.12 under emulation) its row was there and its record not yet read: a loss that was none (#5)."""
    o, k = seated(), kernel()
    k.slots[1]["generation"] = 1
    row = k.files[2]
    row["slot"], row["generation"], row["used"], row["count"], row["first"] = 1, 1, 1, 9, 10**9 + 1
    told = Told(k)
    [window] = o.windows(k, told, 10**9)
    assert window.loss == {}
    [window] = o.windows(k, told, 2 * 10**9)
    assert window.loss == {"names of files": 1}


def test_memory_brings_back_what_rows_mean(tmp_path):
    memory = Memory(tmp_path / "n", "e")
    memory.begin([])
    o, k = seated(memory), kernel()
    k.slots[1]["generation"], k.slots[1]["cgroup"], k.slots[1]["told"] = 1, 77, 5 * 10**9
    o.take(batch(paths=rows("paths", {"kind": abi.OPEN, "time": 20, "a": 2, "path": path("srv", "rows.csv")})))
    row = k.files[2]
    row["slot"], row["generation"], row["used"], row["count"] = 1, 1, 1, 9
    for source in (Memory(tmp_path / "n", "e").recall(), o.kept()):
        again = observer()
        again.recall(source, k)
        [window] = again.windows(k, Told(k), 6 * 10**9)
        assert [(u.behaviour, u.count) for u in window.uses] == [("open:data:/srv/rows.csv", 9)]
        assert window.start == 5.0
