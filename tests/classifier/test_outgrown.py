"""What far exceeds a deviation that was judged is not counted to it; and a quantity alone is no verdict in the first fortnight."""

from __future__ import annotations

from dataclasses import replace

import pytest

from classifier.drift.correlation import Correlation
from classifier.drift.finding import REVIEW, RISKY, Posterior, Signal
from classifier.drift.sighting import Sighting
from classifier.drift.verdict import Judged, verdict
from tests.classifier.story import ORDINARY, POLICY, days, learned, play, window
from tests.factories import SHOP, use
from wire.records import Tick, Triage

MODEL = "egress:tcp:models.example.org:443"
SMALL, LARGE = 60_000, 5_000_000  # bytes of a window; 9,000 are usual


def reading(size: int, t: int, *, by: str = "python3.11", rest: int = 7):
    """A day on which one replica reads so much, then some days as ever."""
    usual = tuple(u for u in ORDINARY if u.behaviour != MODEL)
    much = use(MODEL, 3, bytes_out=2_000, bytes_in=size, data={"lineage": by})
    strange = window(1, float(t))
    strange = type(strange)(strange.replica, strange.start, strange.end, (*usual, much), strange.syscalls)
    return [strange, window(2, float(t)), Tick("n1", t + 1.0), *days(t + 1, t + 1 + rest, 1, 2)]


def closed(pipeline, t: int):
    """Somebody closes the one finding."""
    (finding,) = pipeline.findings()
    return play([Triage(float(t), finding.id, "dismiss", "ada")], pipeline=pipeline)


@pytest.mark.parametrize(
    ("size", "findings"), [pytest.param(LARGE, 2, id="far-more"), pytest.param(SMALL + 5_000, 1, id="as-much")]
)
def test_what_was_dismissed_covers_as_much_and_no_more(size, findings):
    """FX-1b, seed 2: after a review of 37 KB had ended, 5 MB over the same peer were counted to it, and nothing was said (#4)."""
    pipeline = closed(play([*learned(1, 2), *reading(SMALL, 40)]), 47)
    found = play(reading(size, 48), pipeline=pipeline).findings()
    assert len(found) == findings
    assert {d.bytes_in for d in found[0].deviations} == {SMALL if findings == 2 else SMALL + size}
    assert all((f.label, f.state, f.opened >= 48) == (RISKY, "open", True) for f in found[1:])


@pytest.mark.parametrize(
    ("size", "findings"), [pytest.param(LARGE, 2, id="far-more"), pytest.param(SMALL, 1, id="as-much")]
)
def test_a_state_of_before_programs_were_kept_covers_as_much_and_no_more(size, findings):
    """Whatever came again after an update was news, however small."""
    pipeline = closed(play([*learned(1, 2), *reading(SMALL, 40)]), 47)
    for s in pipeline._state.wards[SHOP].sightings.values():
        s.owners.clear()
    assert len(play(reading(size, 48), pipeline=pipeline).findings()) == findings


def test_the_finding_that_was_outgrown_stands_as_it_was():
    pipeline = closed(play([*learned(1, 2), *reading(SMALL, 40)]), 47)
    before = pipeline.findings()[0]
    assert play(reading(LARGE, 48), pipeline=pipeline).findings()[0] == before


def test_an_open_finding_is_looked_at_again_when_it_is_outgrown():
    """Within the span of one cause there is one finding; its numbers are those of the larger window at once."""
    pipeline = play([*learned(1, 2), *reading(SMALL, 40)], replace(POLICY, cause_window=10.0))
    told = [f for r in reading(LARGE, 48)[:12] for f in pipeline.feed(r)]
    (finding,) = pipeline.findings()
    assert told and str(LARGE) in told[0].because and finding.id == told[0].id


READERS = {"python3.11": LARGE, "curl<sh": 3_000_000, "wget<sh": 2_000_000, "nc<sh": 2_500_000}  # program → bytes


def read_by_each(**policy):
    """One after another reads far more than usual, within the span of one cause."""
    pipeline = play(learned(1, 2), replace(POLICY, cause_window=20.0, **policy))
    for n, (by, size) in enumerate(READERS.items()):
        play(reading(size, 40 + 5 * n, by=by, rest=4), pipeline=pipeline)
    return pipeline


def test_each_program_has_its_own_numbers_in_one_finding():
    """The second program's were written over the first's, and the third's took their place: 5 MB were no longer told."""
    (finding,) = read_by_each().findings()
    assert {d.lineage: d.bytes_in for d in finding.deviations} == {
        by.replace("3.11", ""): n for by, n in READERS.items()
    }
    assert finding.count == 3 * len(READERS) and finding.deviations[0].first == 40.0


def test_a_finding_that_was_outgrown_twice_makes_room_when_it_is_closed():
    """What had been written over was forgotten twice, and the second time was a KeyError."""
    pipeline = read_by_each(max_deviations=len(READERS))
    play([Triage(60.0, pipeline.findings()[0].id, "dismiss", "ada"), *reading(LARGE, 90)], pipeline=pipeline)
    (finding,) = pipeline.findings()
    assert finding.opened >= 90 and pipeline.counters["deviations_dropped"] == 0


@pytest.mark.parametrize(
    ("fortnight", "why", "label"),
    [
        pytest.param(False, ("volume in",), REVIEW, id="bytes-alone"),
        pytest.param(True, ("volume in",), RISKY, id="later"),
        pytest.param(False, ("volume in", "owner"), RISKY, id="by-a-foreign-owner"),
    ],
)
def test_before_a_weekly_job_can_be_known_a_quantity_alone_is_a_review(fortnight, why, label):
    """FX-1c-2: the first weekly export came on day 6 and was called risky."""
    no, yes = Signal(False, 9.0, ""), Signal(True, 1.0, "")
    members = [Judged(Sighting(MODEL, w, 6.0, 6.0, 7.0), Correlation(no), yes, no) for w in why]
    v = verdict(members, (no, yes, no), Posterior(0, 0, 1, "v"), (0.5, 0.2, 0.9), quiet=True, fortnight=fortnight)
    assert v.label == label and ("weekly job" in v.rule) == (label == REVIEW)
