"""DNS answers and the names they give to addresses."""

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.observe.dns import ADDRESSES, GRACE, NAMES, Answer, NameBook, parse


def answer(*rows, name="api.example.org."):
    message = dns.message.make_response(dns.message.make_query(name, "A"))
    for row in rows:
        message.answer.append(dns.rrset.from_text(*row))
    return message.to_wire()


WHOLE = answer(
    ("api.example.org.", 60, "IN", "CNAME", "edge.net."), ("edge.net.", 30, "IN", "A", "10.0.0.1", "10.0.0.2")
)


def test_an_answer_names_what_was_asked_with_the_shortest_life():
    assert parse(WHOLE) == Answer("api.example.org", ("10.0.0.1", "10.0.0.2"), 30.0)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(WHOLE[:20], id="cut"),
        pytest.param(answer(), id="negative"),
        pytest.param(answer(("api.example.org.", 60, "IN", "TXT", "x")), id="no-address"),
        pytest.param(answer(("api.example.org.", 60, "CH", "A", "example.org. 123")), id="class-chaos"),
        pytest.param(b"\0" * 12, id="no-question"),
    ],
)
def test_what_names_no_address_is_none(payload):
    assert parse(payload) is None


@given(st.binary(max_size=600))
def test_any_payload_is_an_answer_or_none(payload):
    parse(payload)


@given(st.data())
def test_a_damaged_answer_is_an_answer_or_none(data):
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = parse(bytes(damaged))
    assert found is None or all(isinstance(a, str) for a in found.addresses)


def test_names_last_their_time_and_the_newest_is_last():
    book = NameBook()
    book.learn(Answer("a", ("10.0.0.1",), 60.0), 0.0)
    book.learn(Answer("b", ("10.0.0.1",), 600.0), 1.0)
    assert book.names("10.0.0.1", 5.0) == ["a", "b"]
    assert book.names("10.0.0.1", 60.0 + GRACE + 1) == ["b"]
    book.learn(Answer("a", ("10.0.0.1",), 60.0), 2.0)
    assert book.names("10.0.0.1", 5.0) == ["b", "a"]


def test_only_what_teaches_more_is_worth_keeping():
    book = NameBook()
    told = Answer("a", ("10.0.0.1",), 60.0)
    assert book.learn(told, 0.0)
    assert not book.learn(told, 10.0)
    assert book.learn(told, 10.0 + GRACE / 2)


def test_what_is_kept_teaches_the_same():
    book, again = NameBook(), NameBook()
    book.learn(Answer("a", ("10.0.0.1", "10.0.0.2"), 60.0), 5.0)
    for name, addresses, ttl, time in book.kept():
        again.learn(Answer(name, tuple(addresses), ttl), time)
    for time in (0.0, 60.0 + GRACE, 66.0 + GRACE):
        assert book.names("10.0.0.2", time) == again.names("10.0.0.2", time)


def test_a_book_is_bounded_in_names_and_addresses():
    book = NameBook()
    for i in range(ADDRESSES + 10):
        book.learn(Answer("a", (f"a{i}",), 1.0), 0.0)
    for i in range(NAMES + 5):
        book.learn(Answer(f"n{i}", ("10.0.0.1",), 1.0), 0.0)
    assert book.dropped == 11
    assert len(book.names("10.0.0.1", 0.0)) == NAMES
