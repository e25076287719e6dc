"""Rows of the pods under crun: what a guest did not answer is red."""

import json

from tests.containers.claims import Row
from tests.vm.machine import Outcome
from tests.vm.pods import rows, section

GOOD = {"claim": "an exec", "done": "two calls", "seen": "two calls", "holds": True}


def test_what_a_guest_says_is_a_part_of_the_page():
    found = rows(Outcome(0, "", {"pods.json": json.dumps({"pods": [GOOD]}).encode()}))
    assert found == (Row(**GOOD),)
    text = section(found, "6.12.117")
    assert "guest of 6.12.117" in text and "| an exec | two calls | two calls |" in text


def test_a_guest_without_an_answer_is_one_red_row():
    [row] = rows(Outcome(None, "", {}))
    assert not row.holds and "**Red**" in section((row,), "6.12")


def test_a_guest_that_was_not_asked_has_no_part():
    assert rows(None) == () and section((), "") == ""
