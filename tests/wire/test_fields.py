"""Fields of an event of the application layer are bounded, one word where a word is meant, and can always be sent."""

import doctest

import pytest

from wire import fields


def test_examples_in_docstrings_run():
    done = doctest.testmod(fields)
    assert done.failed == 0 and done.attempted > 0


@pytest.mark.parametrize("name", ["a b", "a=b", "a<b", "a\\b", "a\x1bb", "a\u202eb", "é", "x" * 999, ""])
def test_a_name_is_one_word_without_an_equals_sign(name):
    found = fields.spelled(name)
    assert not set(found) & set(" =<\x1b\u202e") and len(found) <= fields.NAME


def test_a_list_says_that_it_was_cut():
    cut: list[str] = []
    kept = fields.fitting("partial", ["x" * 300] * 9, cut)
    assert len(kept) == 3 and cut == ["partial: the first 3 are told"]


def test_lone_surrogates_can_be_sent():
    assert fields.sendable("a\ud83d").encode() and fields.as_json(["\ud83d"]).encode() and fields.as_json([]) == ""
