"""The parts of the decoder, each alone: lanes, codings, splitters, headers, header state."""

import doctest
import importlib
import zlib

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe.applayer import events, frames2, headers, inflate
from sensor.observe.applayer.hpack_state import HeaderState
from sensor.observe.applayer.lane import Lane, Piece
from sensor.observe.applayer.limits import Limits
from sensor.observe.applayer.records import ABSENT, fact
from sensor.observe.applayer.talk import Budget, Growing, words
from tests.observe.applayer.wires import PACK, aws_frame
from wire.redact import Policy, Redactor

NAMES = ("decoder", "events", "headers", "inflate", "lane", "records")


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(f"sensor.observe.applayer.{name}")
    done = doctest.testmod(module)
    assert done.failed == 0 and done.attempted > 0


def test_limits_are_sizes_and_a_fact_without_value_is_absent():
    assert Limits().body > 1 << 20
    assert fact(None, "verified") is ABSENT


# Lanes.


@settings(max_examples=80)
@given(size=st.integers(1, 200), cuts=st.lists(st.integers(0, 200)), order=st.randoms(use_true_random=False))
def test_chunks_in_any_order_come_out_in_order(size, cuts, order):
    data = bytes(range(256))[:size]
    edges = sorted({0, size, *(c % size for c in cuts)})
    chunks = [(a, data[a:b]) for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007 -- one is longer
    order.shuffle(chunks)
    lane = Lane(waiting=1 << 20, late=9.0)
    out = [p for offset, part in chunks for p in lane.add(offset, part, 0.0)]
    assert b"".join(p.data for p in out) == data and lane.held == 0


def test_a_missing_chunk_becomes_a_gap_when_it_is_late_or_too_much_waits():
    lane = Lane(waiting=10, late=1.0)
    assert lane.add(5, b"abc", 0.0) == []
    assert lane.settle(0.5) == []
    assert lane.settle(2.0) == [Piece(0, 5, 0.0, None), Piece(5, 3, 0.0, b"abc")]
    assert lane.add(20, b"x" * 11, 2.0) == [Piece(8, 12, 2.0, None), Piece(20, 11, 2.0, b"x" * 11)]


def test_a_gap_that_is_told_needs_no_waiting():
    lane = Lane(waiting=10, late=1.0)
    lane.add(0, b"ab", 0.0)
    assert lane.gap(2, 3, 0.0) == [Piece(2, 3, 0.0, None)]
    assert lane.add(5, b"c", 0.0) == [Piece(5, 1, 0.0, b"c")]


def test_the_first_copy_of_a_byte_counts():
    lane = Lane(waiting=10, late=1.0)
    lane.add(0, b"abc", 0.0)
    assert lane.add(1, b"XYZ", 0.0) == [Piece(3, 1, 0.0, b"Z")]
    assert lane.add(0, b"abcd", 0.0) == [] and lane.add(-1, b"q", 0.0) == []


# Codings.


def undone(name, data, step):
    made = inflate.coding(name)
    return b"".join(p for at in range(0, len(data), step) for p in made.feed(data[at : at + step]))


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", list(PACK))
def test_codings_are_undone_however_they_are_cut(name, step):
    plain = b"The same words again. " * 200
    assert undone(name, PACK[name](plain), step) == plain


def test_deflate_without_its_header_and_gzip_of_two_members():
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = raw.compress(b"plain words") + raw.flush()
    assert undone("deflate", data, 1) == b"plain words"
    assert undone("gzip", PACK["gzip"](b"a") + PACK["gzip"](b"b"), 3) == b"ab"
    assert undone("zstd", PACK["zstd"](b"a") + PACK["zstd"](b"b"), 3) == b"ab"


def test_stacked_codings_are_undone_from_the_outside():
    assert undone("gzip, br", PACK["br"](PACK["gzip"](b"words")), 2) == b"words"


@pytest.mark.parametrize("name", ["lz9", "gzip, br, zstd"])
def test_a_coding_that_is_not_known_is_none(name):
    assert inflate.coding(name) is None


@pytest.mark.parametrize("name", [n for n in PACK if n])
def test_broken_bytes_raise_one_kind_of_error_without_them(name):
    with pytest.raises(inflate.Broken) as caught:
        undone(name, b"\xff\xfe secret words" * 9, 1 << 20)
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None


# Splitters.


def split(made, data, step=1 << 20):
    return [e for at in range(0, len(data), step) for e in made.feed(data[at : at + step])] + list(made.finish())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_of_any_line_end_are_the_same(end):
    text = end.join([b"event: a", b"data: 1", b"data:2", b"id: 7", b"", b": c", b"", b"data: 3", b"", b""])
    found = [(e.name, e.data) for e in split(events.ServerSent(99), text, 1)]
    assert found == [("a", b"1\n2"), ("", b"3")]


def test_after_a_hole_the_next_event_is_whole():
    made = events.ServerSent(99)
    assert list(made.feed(b"data: one\n\ndata: tw")) != []
    made.skip(10)
    assert [e.data for e in made.feed(b"x\n\ndata: three\n\n")] == [b"three"] and made.lost == 1


def test_an_event_over_the_limit_is_lost_alone():
    made = events.ServerSent(8)
    assert [e.data for e in made.feed(b"data: 123456789\n\ndata: 1\n\n")] == [b"1"] and made.lost == 1


def test_aws_frames_are_checked():
    good = aws_frame("a", b"{}")
    assert [(e.name, e.data) for e in split(events.AwsFrames(999), good * 2, 3)] == [("a", b"{}")] * 2
    bad = bytearray(good)
    bad[-6] ^= 1
    made = events.AwsFrames(999)
    assert [e.data for e in split(made, bytes(bad) + good)] == [b"{}"] and made.lost == 1
    made = events.AwsFrames(999)
    assert split(made, b"\0" * 40 + good) == [] and made.lost == 1


# Headers.


def test_only_known_headers_pass():
    rows = [
        (b"Authorization", b"x"),
        (b"Content-Type", b"Application/JSON; a=b"),
        (b"X-New", b"y"),
        (b"Mcp-Session-Id", b"s"),
    ]
    found = headers.kept(rows, Redactor(Policy()))
    assert found.media == "application/json" and set(found.values) == {"content-type"}
    assert found.session == headers.hashed(b"s")


@pytest.mark.parametrize("value", ["", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "x" * 55, "00-1-2-3"])
def test_a_broken_traceparent_is_none(value):
    assert headers.trace(headers.Headers({"traceparent": value})).traceparent is None


def test_a_table_joined_late_never_guesses():
    encoder, whole, late = hpack.Encoder(), HeaderState(known=True), HeaderState(known=False)
    blocks = [encoder.encode([(":method", "POST"), ("x-a", f"value-{n % 3}"), ("x-b", "same")]) for n in range(9)]
    for n, block in enumerate(blocks):
        full, sure = whole.read(block)
        assert sure
        if n >= 2:
            rows, _ = late.read(block)
            assert set(rows) <= set(full)
    assert late.read(blocks[-1])[1] is True or not late.known


def test_a_broken_block_makes_the_table_unknown():
    state = HeaderState(known=True)
    assert state.read(b"\xff\xff\xff\xff\xff\xff\xff") == ([], False) and state.resets == 1 and not state.known


def test_frames_are_found_in_the_middle_of_noise():
    frame = (3).to_bytes(3, "big") + b"\0\1" + (5).to_bytes(4, "big") + b"abc"
    assert frames2.find(b"text \0 more text" + frame + frame) == 16
    assert frames2.find(b"only text, and more of it") is None


# Growing answers.


def test_what_grows_shares_a_budget():
    budget = Budget(5)
    a, b = Growing(budget), Growing(budget)
    a.add("abc")
    b.add("def")
    b.add(None)
    assert (str(a), str(b), budget.over) == ("abc", "", True)


def test_words_of_any_content():
    assert words({"text": "a"}) == "a" and words(5) == "" and words([{"text": 5}, None, "b"]) == "b"
