"""Rows of the pods under crun: what a guest did not answer is red."""

import json

from tests.containers.claims import Row
from tests.vm.machine import Outcome
from tests.vm.pods import rows, text

GOOD = {"claim": "an exec", "done": "two calls", "seen": "two calls", "holds": True}
NAMES = {"kernel": "6.12.117", "runtime": "crun 1.8.1", "containerd": "containerd 1.6.20"}


def test_what_a_guest_says_is_the_page():
    outcome = Outcome(0, "", {"pods.json": json.dumps({"pods": [GOOD], "names": NAMES}).encode()})
    assert rows(outcome) == (Row(**GOOD),)
    page = text(outcome)
    assert "Kernel 6.12.117, crun 1.8.1, containerd 1.6.20." in page and "| an exec | two calls | two calls |" in page


def test_a_guest_without_an_answer_is_one_red_row():
    outcome = Outcome(None, "", {})
    [row] = rows(outcome)
    assert not row.holds and "**Red**: no answer" in text(outcome)
