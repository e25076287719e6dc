"""Frames: every record comes back, and no bytes can do more than raise FrameError."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import deploy, event, head, identity, replica, use, window
from wire import codec
from wire.records import Deploy, Event, Gap, Head, Identity, Pin, ProbeState, Replica, Tick, Triage, Use, Window

FULL = [
    head(probes=(ProbeState("tcp", "off", ("no kprobes", "x")),), source="scap"),
    identity(1, workload=None, revision=None, ended=9.0),
    event(2, "exec", "exec:/bin/sh<init", pid=7, argv="sh -c", share=0.5),
    window(1, use("open:data:/x", 3, evidence=("a",), data={"path": "/x"}), syscalls={0: 3}, grams=(1, 2), loss={"x": 1}),
    deploy(scope=("egress:*",), sender=replica(4), refused="replayed"),
    Gap("n1", 1.0, 2.0, "stopped"),
    Tick("n1", 10.0),
    Triage(11.0, "f1", "accept", "me", "because"),
    Pin(12.0, "lab/shop/Deployment/cart/cart", "class", "web-service", "me", "because"),
]  # fmt: skip


@pytest.mark.parametrize("record", FULL, ids=lambda r: type(r).__name__)
def test_every_kind_comes_back(record):
    assert codec.decode(codec.encode(record)) == record


text = st.text(max_size=20)
number = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63), 2**63)
who = st.builds(Replica, text, whole, whole)
plain = st.dictionaries(text, st.one_of(text, whole, number), max_size=4)
uses = st.builds(Use, text, whole, whole, whole, number, st.lists(text, max_size=3).map(tuple), plain)
table = st.dictionaries(st.integers(0, 511), st.integers(0, 2**60), max_size=5)
RECORDS = st.one_of(
    st.builds(Head, number, text, text, text, text, number),
    st.builds(Identity, number, who, text, st.none() | text, st.none() | text, text),
    st.builds(Event, text, number, who, text, st.none() | text, plain),
    st.builds(Window, who, number, number, st.lists(uses, max_size=3).map(tuple), table, st.lists(whole, max_size=4).map(tuple)),
    st.builds(Deploy, text, number, number, text, text, text, sender=st.none() | who),
    st.builds(Tick, text, number),
    st.builds(Pin, number, text, text, text, text, text, number),
)  # fmt: skip


@given(RECORDS)
@settings(max_examples=150, deadline=None)
def test_any_record_comes_back(record):
    assert codec.decode(codec.encode(record)) == record


@given(st.dictionaries(text, whole, max_size=6))
def test_the_order_of_a_mapping_does_not_matter(data):
    one, other = event(data=1), event(data=1)
    one, other = (
        Event(e.id, e.time, e.replica, e.kind, None, d) for e, d in ((one, data), (other, dict(reversed(data.items()))))
    )
    assert codec.encode(one) == codec.encode(other)


@given(st.binary(max_size=200))
def test_any_bytes_raise_frame_error_or_nothing(data):
    with contextlib.suppress(codec.FrameError):
        codec.decode(data)


@given(RECORDS, st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_any_changed_byte_raises_frame_error_or_gives_a_record(record, at, value):
    frame = bytearray(codec.encode(record))
    frame[at % len(frame)] = value
    try:
        found = codec.decode(bytes(frame))
    except codec.FrameError:
        return
    except KeyError:
        assert frame[1] != codec.VERSION  # the case of the next test, nothing else
        return
    assert type(found) in codec.NAMES


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_damage(version):
    with pytest.raises(codec.FrameError):
        codec.decode(msgpack.packb([version, "tick", ["n1", 1.0]]))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(msgpack.packb([codec.VERSION + 1, "tick", []]), "please update", id="newer"),
        pytest.param(msgpack.packb([codec.VERSION, "rumour", []]), "unknown kind", id="unknown"),
        pytest.param(msgpack.packb([codec.VERSION, "tick", ["n1"]]), "damaged tick", id="too-few"),
        pytest.param(msgpack.packb([codec.VERSION, "tick", ["n1", "noon"]]), "damaged tick", id="wrong-type"),
        pytest.param(msgpack.packb([codec.VERSION, "tick", ["n1", 1.0, 2.0]]), "damaged tick", id="too-many"),
        pytest.param(b"", "damaged frame", id="empty"),
        pytest.param(b"\x91" * 5000, "damaged frame", id="deep"),
        pytest.param(bytes(codec.LIMIT + 1), "the limit is", id="large"),
    ],
)
def test_what_cannot_be_read_is_answered(frame, message, fault):
    with pytest.raises(codec.FrameError, match=message):
        codec.decode(frame)
    fault(lost="the frame", told="refused with its reason, counted by the sender and the metrics")


def test_an_older_frame_goes_through_its_steps(monkeypatch):
    frame = codec.encode(Tick("n1", 2.0))
    monkeypatch.setattr(codec, "VERSION", codec.VERSION + 1)
    monkeypatch.setitem(codec.UPGRADES, codec.VERSION - 1, lambda kind, values: [values[0], values[1] * 2])
    assert codec.decode(frame) == Tick("n1", 4.0)
