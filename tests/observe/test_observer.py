"""Kernel rows to events and windows, whatever is in them."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe.told import Told
from sensor.probes import abi
from sensor.probes.kernel import RINGS
from tests.observe.rings import ROWS, SLOTS, batch, kernel, noise, observer, path, ran, rows, seated
from wire import codec
from wire.records import Event, Window


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


@pytest.mark.parametrize(
    "status, wanted", [(0, {"code": 0}), (7 << 8, {"code": 7}), (9, {"signal": 9}), (139, {"signal": 11})]
)
def test_an_exit_tells_its_code_or_its_signal(status, wanted):
    [event] = seated().take(batch(facts=rows("facts", {"kind": abi.EXIT, "pid": 5, "a": status})))
    assert dict(event.data) == {"pid": 5} | wanted


def test_a_first_request_to_a_ring_is_told_once_and_counted_in_every_window():
    """Two CPUs may both have had the first one."""
    o, k = seated(), kernel()
    k.slots["generation"][1], k.slots["rings"][1] = 1, 1
    k.ring_ops["count"][1, :, 18] = 3, 4
    told = Told(k)
    [event] = o.take(
        batch(facts=rows("facts", *({"kind": abi.RING, "time": 5 + n, "pid": 9, "a": 18} for n in (0, 1))))
    )
    assert (event.kind, event.behaviour, event.data["pid"]) == ("io_uring", "io_uring:openat", 9)
    [window] = o.windows(k, told, 10)
    assert [(u.behaviour, u.count, u.evidence) for u in window.uses] == [("io_uring:openat", 7, (event.id,))]
    k.ring_ops["count"][1, 0, 79] = 2
    [window] = o.windows(k, told, 20)
    assert [(u.behaviour, u.count) for u in window.uses] == [("io_uring:beyond", 2)]


def test_a_record_of_a_slot_that_has_passed_on_is_late():
    o = seated()
    assert o.take(batch(execs=rows("execs", ran(10, 5, "bin", "x", generation=9)))) == []
    assert o.counters["late"] == 1


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
