"""The variants through the real pipeline, one seed each; `driftline lab breach` plays ten (docs/breach.md)."""

from functools import cache

import pytest

from classifier.lab.breach.expected import UNDECIDABLE, VARIANTS
from classifier.lab.breach.judged import Job, run
from classifier.lab.breach.table import rows
from classifier.lab.breach.turns import Act, spread
from console.cli.lab_breach import trigger


@cache
def judged(variant, seed, words=False):
    return run(Job(variant, seed, words, "", trigger))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_called_what_was_expected_and_nothing_else_is_risky(variant):
    o = judged(variant, 2)
    assert o.right and o.others == () and o.reviews <= 2


@pytest.mark.parametrize("variant", ["fx1", "fx1b", "fx1c-1", "fx1d"])
def test_the_label_comes_within_a_minute_of_the_first_byte(variant):
    """D144."""
    assert judged(variant, 2).seconds <= 60


def test_what_a_node_cannot_decide_is_told_as_such():
    """D149: no finding claims the write; the text says so, and what is claimed of the read side."""
    o = judged("fx1c-2", 2)
    assert o.verdict == UNDECIDABLE
    assert "no finding holds the write" in o.because and "of the read side alone: no finding" in o.because


def test_a_review_of_the_same_peer_weeks_before_hides_no_theft():
    """Seed 1 of FX-1b has a review of some KB, closed by age; 5 MB over the same peer were counted to it and never judged (#4)."""
    o = judged("fx1b", 1)
    assert o.reviews == 1 and o.verdict == "risky_drift"


def test_with_words_the_ticket_is_named_and_without_it_is_not_captured():
    """D148."""
    told, silent = judged("fx1", 2, words=True), judged("fx1", 2)
    assert told.right and told.named == told.ticket and told.trigger == "captured"
    assert silent.right and silent.named == "" and silent.trigger == "not_captured"


def test_a_row_counts_seeds_and_gives_the_slowest():
    (row,) = rows([judged("fx1", 2), judged("fx1", 3)])
    assert (row["variant"], row["right"], row["seeds"], row["others"]) == ("fx1", 2, 2, 0)
    assert row["seconds"] <= row["slowest"] <= 60 and row["named"] is None


def test_a_long_transfer_loses_nothing_to_its_pieces():
    pieces = spread(Act(10.0, "egress:x", "p", 1, 7, 1001, 13), 15.5)
    assert [sum(getattr(p, f) for p in pieces) for f in ("count", "out", "into")] == [7, 1001, 13]
    assert pieces[0].time == 10.0 and pieces[-1].time < 15.5
