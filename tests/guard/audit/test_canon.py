"""One value, one sequence of bytes; what has no canonical form is refused, and nothing crashes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.audit.canon import CanonError, canonical, read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) ,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_what_is_written_is_read_and_written_the_same(value):
    data = canonical(value)
    assert canonical(read(data)) == data


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.integers(-9, 9), max_size=6))
def test_the_order_of_keys_changes_nothing(value):
    assert canonical(value) == canonical(dict(reversed(list(value.items()))))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut"),
        pytest.param(b'{"a": 1}', id="a-space"),
        pytest.param(b'{"b":1,"a":1}', id="another-order"),
        pytest.param(b'{"a":1,"a":2}', id="a-key-twice"),
        pytest.param(b'{"a":1.0}', id="another-number"),
        pytest.param(b'"\\u0041"', id="another-letter"),
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b"NaN", id="no-number"),
        pytest.param(b'"\xff"', id="no-text"),
        pytest.param(json.dumps(10**400).encode(), id="a-number-without-end"),
    ],
)
def test_another_spelling_is_refused(data):
    with pytest.raises(CanonError):
        read(data)


def test_half_characters_and_large_numbers_are_told_apart_from_their_like():
    assert canonical("\ud800") == b'"\\\\ud800"'
    assert canonical(1 << 60) == b'"1152921504606846976"'
    with pytest.raises(CanonError):
        canonical({"a": object()})
