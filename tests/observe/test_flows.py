"""Conversations: their names, their owners, and rows that are another's by now."""

import numpy as np

from sensor.observe.told import Told
from sensor.probes import abi
from tests.observe.rings import SEAT, batch, kernel, path, ran, rows, seated
from tests.observe.test_tls import hello


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
