"""A recording of the live story of week seven, thirty days of it: two rollouts, four exports, and nobody is to be paged.

It was made by `make demo-breach`, whose day is three seconds. The first export is a review on day 6; it came again every week, and
when the envelope had converged and the finding was looked at again, it was called risky (#4).
"""

from __future__ import annotations

from pathlib import Path

from classifier.drift.finding import REVIEW, RISKY
from classifier.policy import DAY, Policy
from tests.classifier.story import play
from wire.trace import read

TRACE = Path(__file__).with_name("weekly-export.trace")
CRM = "egress:tcp:crm.acme.internal:80"


def test_a_review_of_the_first_fortnight_is_not_risky_for_the_fortnights_end():
    found = play(read(TRACE), Policy().scaled(DAY / 3)).findings()
    assert [f.label for f in found if f.label == RISKY] == []
    [export] = [f for f in found if f.label == REVIEW and CRM in {d.behaviour for d in f.deviations}]
    assert "weekly job" in export.because and {d.lineage for d in export.deviations} == {"export.py<python"}
