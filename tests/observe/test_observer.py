"""Kernel rows to events and windows, whatever is in them."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe.memory import Memory
from sensor.observe.observer import Observer
from sensor.observe.told import Told
from sensor.probes import abi
from sensor.probes.kernel import RINGS, Batch
from tests.observe.test_tls import hello
from wire import codec
from wire.records import Event, Window

SLOTS, ROWS = 4, 8


def observer(memory=None):
    memory = memory or Memory(None, "e")
    return Observer(node="n", epoch="e", boot=1, to_time=lambda ns: ns / 1e9, memory=memory)


def kernel():
    """Arrays as the kernel side shares them, in plain memory."""
    told = {}
    return SimpleNamespace(
        slots=np.zeros(SLOTS, abi.SLOT),
        calls=np.zeros((SLOTS, 2), abi.CALLS_ROW),
        files=np.zeros(ROWS, abi.FILE_USE),
        flows=np.zeros(ROWS, abi.FLOW_ROW),
        calls_told=lambda slot: told.get(slot, np.zeros(abi.CALLS + 1, np.uint64)),
        tell_calls=told.__setitem__,
    )


def path(*parts):
    text = b"".join(p.encode() + b"\0" for p in reversed(parts))
    row = np.zeros((), abi.PATH)
    row["length"], row["parts"], row["text"] = len(text), len(parts), np.void(text.ljust(640, b"\0"))
    return row


def rows(ring, *changes):
    made = np.zeros(len(changes), RINGS[ring])
    for row, change in zip(made, changes, strict=True):
        for name, value in ({"slot": 1, "generation": 1} | change).items():
            row[name] = value
    return made


def batch(**rings):
    return Batch(**({n: rows(n) for n in RINGS} | rings))


SEAT = {"kind": abi.SEAT, "a": 77, "time": 1, "path": path("lab", "w1")}


def seated(memory=None):
    made = observer(memory)
    made.take(batch(paths=rows("paths", SEAT)))
    return made


def ran(time, pid, *parts, **changes):
    return {"kind": abi.EXEC, "time": time, "pid": pid, "image": hash(parts) & 0xFFFF, "path": path(*parts)} | changes


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        pytest.param(
            bytes(10) + b"\xff\xff\x0a\xe7\0\2",
            bytes(10) + b"\xff\xff\x0a\xe7\0\1",
            ("10.231.0.2", "10.231.0.1"),
            id="v4",
        ),
        pytest.param(b"\xfd\x99" + bytes(13) + b"\2", b"\xfd\x99" + bytes(13) + b"\1", ("fd99::2", "fd99::1"), id="v6"),
    ],
)
def test_a_connection_to_a_receiver_is_told_with_both_its_ends(theirs, ours, told):
    halves = dict(zip(("image", "a", "b", "c"), struct.unpack("<QQQQ", theirs + ours), strict=True))
    fact = {"kind": abi.DIAL, "time": 5, "tid": 40007 << 16 | 4318} | halves
    [event] = seated().take(batch(facts=rows("facts", fact)))
    assert (event.kind, event.behaviour, event.replica.cgroup) == ("dial", None, 77)
    assert event.data == {"address": told[0], "port": 40007, "to": told[1], "to_port": 4318}


def test_a_seat_makes_a_replica():
    [found] = seated().replicas.values()
    assert (found.path, found.replica.cgroup, found.replica.generation) == ("/lab/w1", 77, 1)


def test_a_file_opened_before_an_exec_is_the_earlier_images():
    """Records of one batch come through four rings; what happened first counts first."""
    o = seated()
    opened = {"kind": abi.OPEN, "time": 20, "pid": 5, "image": 1, "a": 0, "path": path("etc", "x")}
    events = o.take(
        batch(
            execs=rows("execs", ran(10, 5, "bin", "one", image=1), ran(30, 5, "bin", "two", image=2)),
            paths=rows("paths", opened),
        )
    )
    assert [(e.kind, e.data["lineage"]) for e in events] == [("exec", "one"), ("open", "one"), ("exec", "two<one")]
    assert events[1].data["image"] == "/bin/one"


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


@pytest.mark.parametrize(
    ("parent", "lineage"),
    [pytest.param(5, "two<one", id="of-the-workload"), pytest.param(99, "two", id="from-outside")],
)
def test_an_exec_whose_fork_nobody_read_names_its_caller(parent, lineage):
    """A killed sensor had read the fork and its successor found the process gone: the caller was unknown (#5)."""
    o = seated()
    o.take(batch(execs=rows("execs", ran(10, 5, "bin", "one", image=1))))
    [event] = o.take(batch(execs=rows("execs", ran(30, 6, "bin", "two", image=2, a=1, b=parent))))
    assert event.data["lineage"] == lineage


def test_execs_that_no_window_said_are_in_the_first_one_of_a_successor(tmp_path):
    """The ring hands an exec over once: a killed sensor's execs since its last window were gone, and nobody was told (#5)."""
    memory, k = Memory(tmp_path / "names", "e"), kernel()
    memory.begin([])
    k.slots["cgroup"][1], k.slots["generation"][1] = 77, 1
    first = seated(memory)
    first.take(batch(execs=rows("execs", ran(10, 5, "bin", "one"), ran(11, 6, "bin", "one"))))
    for left in ({"exec:/bin/one<-": 2}, {}):
        again = observer(memory := Memory(tmp_path / "names", "e"))
        again.recall(memory.recall(), k)
        memory.begin(again.kept())
        [window] = again.windows(k, told := Told(k), 100)
        assert {u.behaviour: u.count for u in window.uses} == left
        told.commit()


@pytest.mark.parametrize(
    "status, wanted", [(0, {"code": 0}), (7 << 8, {"code": 7}), (9, {"signal": 9}), (139, {"signal": 11})]
)
def test_an_exit_tells_its_code_or_its_signal(status, wanted):
    [event] = seated().take(batch(facts=rows("facts", {"kind": abi.EXIT, "pid": 5, "a": status})))
    assert dict(event.data) == {"pid": 5} | wanted


def test_a_record_of_a_slot_that_has_passed_on_is_late():
    o = seated()
    assert o.take(batch(execs=rows("execs", ran(10, 5, "bin", "x", generation=9)))) == []
    assert o.counters["late"] == 1


def named(script, **changes):
    return {"script": np.void(script.ljust(256, b"\0")), "script_bytes": len(script) + 1} | changes


def test_a_script_is_named_by_its_path_and_its_interpreter_is_told():
    o = seated()
    begun = ran(10, 5, "usr", "bin", "python3.11", image=1)
    run = ran(20, 5, "usr", "bin", "python3.11", image=2, **named(b"./export.py", cwd=path("app")))
    _, event = o.take(batch(execs=rows("execs", begun, run)))
    assert event.behaviour == "exec:/app/export.py<python3.11"
    assert (event.data["path"], event.data["interpreter"]) == ("/app/export.py", "/usr/bin/python3.11")
    assert (event.data["lineage"], o.processes.images[2]) == ("export.py<python3.11", "/app/export.py")


def test_what_env_calls_for_a_script_is_told_and_the_process_stays_the_script():
    o = seated()
    env = ran(10, 5, "usr", "bin", "env", image=1, **named(b"/app/export.py"))
    other = ran(20, 5, "tmp", "python3", image=2, a=1, flags=abi.KEPT_SCRIPT)
    _, event = o.take(batch(execs=rows("execs", env, other)))
    assert (event.behaviour, event.data["path"]) == ("exec:/tmp/python3<export.py", "/tmp/python3")
    assert (event.data["lineage"], event.data["script"], o.processes.images[2]) == (
        "export.py",
        *["/app/export.py"] * 2,
    )


def test_a_kept_script_that_nobody_saw_is_the_program_that_runs():
    o = seated()
    [event] = o.take(batch(execs=rows("execs", ran(20, 5, "usr", "bin", "node", image=2, a=1, flags=abi.KEPT_SCRIPT))))
    assert (event.behaviour, event.data["lineage"], "script" in event.data) == ("exec:/usr/bin/node<-", "node", False)


def exec_of(argv, *, redact=True):
    o = Observer(node="n", epoch="e", boot=1, to_time=lambda ns: ns / 1e9, memory=Memory(None, "e"), redact=redact)
    raw = argv.encode() + b"\0"
    change = {"kind": abi.EXEC, "path": path("x"), "argv": raw.ljust(512, b"\0"), "argv_bytes": len(raw), "time": 2}
    o.take(batch(paths=rows("paths", SEAT)))
    return next(r for r in o.take(batch(execs=rows("execs", change))) if r.kind == "exec").data["argv"]


def test_secrets_do_not_leave_the_sensor_unless_they_are_meant_to():
    assert exec_of("x\0--password=hunter2") == "x --password=[redacted 7]"
    assert exec_of("x\0--password=hunter2", redact=False) == "x --password=hunter2"


def test_a_cut_path_of_a_file_does_not_look_absolute():
    from sensor.observe.classes import file_behaviour
    from sensor.observe.names import path as joined

    assert file_behaviour(joined(b"shadow\0etc\0", cut=True), False) == "open:data:…/etc/shadow"


def test_a_cut_path_says_so():
    o = seated()
    [event] = o.take(batch(execs=rows("execs", ran(10, 5, "etc", "x", flags=abi.CUT_PATH))))
    assert (event.behaviour, event.data["path"]) == ("exec:…/etc/x<-", "…/etc/x")


def test_slots_whose_record_was_lost_are_found():
    o, k = seated(), kernel()
    for slot, generation in ((1, 1), (2, 5), (3, 1)):
        k.slots[slot]["cgroup"], k.slots[slot]["generation"], k.slots[slot]["taken"] = 70 + slot, generation, 100 * slot
    assert o.seats.unheard(k, before=250) == [(2, 5, 72, 200)]


def test_a_window_says_what_counters_grew_and_nothing_twice():
    o, k = seated(), kernel()
    told = Told(k)
    k.slots[1]["generation"], k.slots[1]["cgroup"] = 1, 77
    k.calls[1, 0]["count"][3], k.calls[1, 1]["count"][3], k.calls[1, 1]["beyond"] = 2, 3, 4
    k.slots[1]["lost"][0] = 6
    [first] = o.windows(k, told, 10**9)
    [second] = o.windows(k, told, 2 * 10**9)
    assert (first.syscalls, first.foreign, first.loss) == ({3: 5}, 4, {"facts": 6})
    assert (second.syscalls, second.foreign, second.loss, second.start) == ({}, 0, {}, 1.0)


def test_what_was_not_delivered_is_told_again_after_a_kill():
    o, k = seated(), kernel()
    k.slots[1]["generation"], k.slots[1]["cgroup"] = 1, 77
    told = Told(k)
    k.calls[1, 0]["count"][3] = 5
    o.windows(k, told, 10**9)
    told.commit()
    k.calls[1, 0]["count"][3] = 8
    o.windows(k, told, 2 * 10**9)  # sent, and never delivered
    [again] = seated().windows(k, Told(k), 3 * 10**9)
    assert again.syscalls == {3: 3}


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


def test_a_conversation_that_begins_while_the_window_is_made_waits_for_its_name():
    """A busy machine read the answer that names the peer after the window: one peer was two behaviours."""
    o, k = seated(), kernel()
    k.slots[1]["generation"] = 1
    row = k.flows[2]
    row["slot"], row["generation"], row["used"], row["opens"], row["first"] = 1, 1, 1, 1, 10**9 + 1
    told = Told(k)
    assert [w.uses for w in o.windows(k, told, 10**9)] == [()]
    [window] = o.windows(k, told, 2 * 10**9)
    assert [u.count for u in window.uses] == [1]


def test_two_owners_of_one_peer_stand_apart_in_a_window_and_each_is_dated_into_it():
    """An export and the worker beside it: added up under one name, the export's bytes were the worker's."""
    o, k = seated(), kernel()
    k.slots[1]["generation"] = 1
    o.take(batch(execs=rows("execs", ran(1, 8, "app", "worker"), ran(2, 9, "app", "export"))))
    for number in (2, 3):
        row = k.flows[number]
        row["slot"], row["generation"], row["used"], row["opens"], row["first"] = 1, 1, 1, 1, 3
    facts = rows("facts", {"kind": abi.FLOW, "a": 2, "pid": 8}, {"kind": abi.FLOW, "a": 3, "pid": 9})
    for row, fact in zip((2, 3), facts, strict=True):
        k.flows[row]["image"] = fact["image"]
    o.take(batch(facts=facts))
    assert len(list(o.flows(facts, k.flows))) == 2
    told = Told(k)
    o.windows(k, told, 10**9)
    k.flows[2]["bytes_out"], k.flows[3]["bytes_out"] = 100, 5_000_000
    [window] = o.windows(k, told, 2 * 10**9)
    assert {(u.data["lineage"], u.bytes_out) for u in window.uses} == {("worker", 100), ("export", 5_000_000)}
    assert len({u.behaviour for u in window.uses}) == 1
    assert all(window.start <= u.first <= window.end for u in window.uses)


def test_a_fact_about_a_row_that_is_anothers_by_now_is_no_event():
    o, k = seated(), kernel()
    k.flows[3]["used"], k.flows[3]["slot"], k.flows[3]["generation"], k.flows[3]["image"] = 1, 2, 1, 5
    facts = rows("facts", {"kind": abi.FLOW, "a": 3, "image": 5})
    o.take(batch(facts=facts))
    assert list(o.flows(facts, k.flows)) == []


def test_a_slot_that_is_given_back_takes_no_name_of_another_replicas_conversation():
    """Its file had the number that another's flow had in a table of their own: that flow lost the name of its server."""
    o, k = seated(), kernel()
    o.take(batch(paths=rows("paths", SEAT | {"slot": 2, "a": 78})))
    k.slots["generation"] = 1
    greeting = np.void(hello("api.example").ljust(2048, b"\0"))
    sent = {"kind": abi.HELLO, "slot": 2, "a": 3, "port": 443, "data": greeting, "length": len(hello("api.example"))}
    opened = {"kind": abi.OPEN, "time": 20, "a": 3, "path": path("srv", "x")}
    o.take(batch(paths=rows("paths", opened), payloads=rows("payloads", sent)))
    row = k.flows[3]
    row["slot"], row["generation"], row["used"], row["opens"], row["port"], row["protocol"] = 2, 1, 1, 1, 443, 6
    o.forget(1)
    [window] = o.windows(k, Told(k), 10**9)
    assert [u.behaviour for u in window.uses] == ["egress:tcp:api.example:443"]


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


# -- anything at all -----------------------------------------------------------------------------------------------------

KINDS = {
    "paths": (abi.SEAT, abi.OPEN, abi.FOUND),
    "execs": (abi.EXEC,),
    "payloads": (abi.DNS, abi.HELLO),
    "facts": (abi.LEFT, abi.SYSCALL, abi.GRAM, abi.FORK, abi.EXIT, abi.FLOW, abi.DIAL, 99),
}


def noise(ring, seed, count):
    """Rows of random bytes, of slots and kinds that exist."""
    random = np.random.default_rng(seed)
    dtype = RINGS[ring]
    made = np.frombuffer(random.bytes(dtype.itemsize * count), dtype).copy()
    made["kind"] = random.choice(KINDS[ring], count)
    made["slot"] = random.integers(0, SLOTS, count)
    made["generation"] = random.integers(0, 2, count)
    if ring in ("facts", "paths"):
        made["a"] = np.where(random.integers(0, 2, count), random.integers(0, ROWS, count), made["a"])
    return made


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_any_rows_become_valid_records(seed, count):
    o, k = observer(), kernel()
    random = np.random.default_rng(seed)
    for name in ("files", "flows", "slots"):
        table = getattr(k, name)
        table[:] = np.frombuffer(random.bytes(table.nbytes), table.dtype)
    for table in (k.files, k.flows):
        table["slot"], table["generation"] = random.integers(0, SLOTS, ROWS), random.integers(0, 2, ROWS)
        table["used"] = random.integers(0, 2, ROWS)
    k.slots["generation"] = random.integers(0, 2, SLOTS)
    taken = batch(**{ring: noise(ring, [seed, i], count) for i, ring in enumerate(RINGS)})
    records = [*o.take(taken), *o.flows(taken.facts, k.flows), *o.windows(k, Told(k), 10**9)]
    for record in records:
        assert isinstance(record, Event | Window)
        assert codec.decode(codec.encode(record)) == record
    for event in (r for r in records if isinstance(r, Event)):
        assert all(v.isprintable() for v in (event.behaviour or "", *event.data.values()) if isinstance(v, str))
