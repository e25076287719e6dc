"""A recording of the live story of week seven: two rollouts, six exports, a theft; one page, and it is about the theft.

It was made by `make demo-breach` on a busy machine; its day is three seconds. The first export is a review on day 6 and
comes again every week. Once it was called risky when the fortnight was over; and once the theft, of fewer bytes than an
export, was counted to it (#4).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.drift.finding import REVIEW, RISKY
from classifier.policy import DAY, Policy
from tests.classifier.story import play
from wire.trace import read

TRACE = Path(__file__).with_name("weekly-export.trace")
CRM, BUCKET = (f"egress:tcp:{name}.acme.internal:80" for name in ("crm", "acme-weekly-export.s3"))


@pytest.fixture(scope="module")
def found():
    return play(read(TRACE), Policy().scaled(DAY / 3)).findings()


def test_a_review_of_the_first_fortnight_is_not_risky_for_the_fortnights_end(found):
    [export] = [f for f in found if {d.lineage for d in f.deviations if d.behaviour == CRM} == {"export.py<python"}]
    assert export.label == REVIEW and "weekly job" in export.because


def test_what_another_program_does_is_not_counted_to_the_review_of_an_export(found):
    [theft] = [f for f in found if f.label == RISKY]
    assert {CRM, BUCKET, "tool:put_object"} <= {d.behaviour for d in theft.deviations}
    assert {d.lineage for d in theft.deviations if d.behaviour in (CRM, BUCKET)} == {"python<python"}
