"""What each variant is to be called stands in a table that knows nothing of what it was called."""

import pytest

from classifier.drift.finding import EXPECTED, REVIEW, RISKY
from classifier.lab.breach.expected import NOTHING, TABLE, UNDECIDABLE, VARIANTS


def test_there_is_an_expectation_for_every_variant_that_was_asked_for():
    assert set(VARIANTS) >= {"fx1", "fx1b", "fx1c-1", "fx1c-2", "fx1d", "fx1e", "quiet"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_expectation_is_a_verdict_and_says_why(variant):
    e = TABLE[variant]
    assert {*e.of(True), *e.of(False)} <= {RISKY, REVIEW, EXPECTED, NOTHING, UNDECIDABLE} and e.why


def test_without_words_the_theft_by_the_exporting_process_is_undecidable_and_no_other_is():
    assert [v for v in VARIANTS if UNDECIDABLE in TABLE[v].of(False)] == ["fx1c-2"]
    assert not any(UNDECIDABLE in TABLE[v].of(True) for v in VARIANTS)
