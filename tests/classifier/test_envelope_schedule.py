"""Rare behaviour that comes again at its hour, and what uses its channel at another."""

from __future__ import annotations

import pytest

from classifier.envelope.envelope import Envelope
from classifier.envelope.items import DORMANT
from classifier.envelope.schedule import due, period_of
from classifier.envelope.strangers import OUT, SCHEDULE
from classifier.policy import HOUR, Policy
from tests.factories import SHOP, replica, use
from wire.records import Window

BUCKET = "egress:tcp:s3.example.org:443"
EXPORT = use(BUCKET, bytes_out=18_000_000, data={"lineage": "export.py<worker"})
WORK = use("egress:tcp:crm.example.org:443", 3, bytes_out=5_000, bytes_in=15_000, data={"lineage": "worker"})


@pytest.mark.parametrize(
    ("days", "period"),
    [
        pytest.param({3, 10, 17}, 7, id="weekly"),
        pytest.param({3, 10, 17, 31, 38}, 7, id="weekly-with-one-missed"),
        pytest.param({0, 14, 28}, 14, id="fortnightly"),
        pytest.param({0, 31, 61, 92}, 30, id="first-of-the-month"),
        pytest.param(set(range(15)), 1, id="daily"),
        pytest.param(set(range(5)), 0, id="daily-but-too-short"),
        pytest.param({0, 7}, 0, id="twice-is-no-schedule"),
        pytest.param({0, 3, 11, 12}, 0, id="any-day"),
        pytest.param(set(), 0, id="never"),
    ],
)
def test_period(days, period):
    week = 0
    for d in days:
        week |= 1 << ((24 * d + 2) % 168)
    assert period_of(days, week) == period


def test_what_comes_at_any_hour_has_no_schedule():
    assert period_of({3, 10, 17}, (1 << 24) - 1) == 0


ANY_HOUR = sum(1 << (24 * (d % 7) + h) % 168 for d, h in ((3, 2), (10, 5), (17, 9), (24, 14), (31, 20)))


def test_five_turns_at_any_hour_of_their_day_are_a_weekly_schedule():
    """A queue or a busy node holds it up."""
    assert period_of({3, 10, 17, 24, 31}, ANY_HOUR) == 7
    assert period_of({3, 10, 17, 24}, ANY_HOUR) == 0
    assert period_of(set(range(30)), (1 << 168) - 1) == 0  # every day at any hour is no schedule


@pytest.mark.parametrize(
    ("hour", "yes"),
    [
        pytest.param(38 * 24 + 11, True, id="its-day-at-a-new-hour"),
        pytest.param(39 * 24, True, id="a-little-after-midnight"),
        pytest.param(41 * 24 + 14, False, id="another-day"),
    ],
)
def test_turn_at_any_hour_is_due_on_its_day(hour, yes):
    assert due({3, 10, 17, 24, 31}, ANY_HOUR, 7, hour) is yes


def test_several_turns_in_a_week_keep_their_hours():
    days = {d + 7 * w for w in range(3) for d in (0, 2, 3, 4)}
    hours = sum(1 << 24 * d + h for d, h in ((0, 2), (2, 9), (3, 15), (4, 20)))
    assert not due(days, hours, 7, 21 * 24 + 9) and due(days, hours, 7, 23 * 24 + 9)


@pytest.mark.parametrize(
    ("period", "hour", "yes"),
    [(7, 24 * 24 + 2, True), (7, 24 * 24 + 9, False), (30, 47 * 24 + 2, True), (30, 31 * 24 + 2, False)],
)
def test_turn_is_due_at_its_hour(period, hour, yes):
    assert due({3, 10, 17}, 1 << (17 * 24 + 2) % 168, period, hour) is yes


def lived(turns: set[int], days: int) -> Envelope:
    """An hourly worker, and an export at two on some days."""
    e = Envelope(SHOP, Policy())
    for hour in range(24 * days):
        export = (EXPORT,) if hour % 24 == 2 and hour // 24 in turns else ()
        w = Window(replica(1), hour * HOUR, hour * HOUR + 600, (WORK, *export))
        for stranger in e.learn(w, accept=3 if e.stage in ("missing", "learning") else 1):
            e.take(w, stranger.use)
    return e


@pytest.mark.parametrize(
    ("hour", "lineage", "size", "why"),
    [
        pytest.param(38 * 24 + 2, "export.py<worker", 18_500_000, [], id="its-turn"),
        pytest.param(37 * 24 + 14, "worker", 4_900_000, [SCHEDULE], id="another-process-on-another-day"),
        pytest.param(37 * 24 + 14, "export.py<worker", 4_900_000, [SCHEDULE], id="same-process-other-volume"),
        pytest.param(37 * 24 + 14, "export.py<worker", 18_200_000, [SCHEDULE], id="the-same-export-once-more"),
        pytest.param(38 * 24 + 2, "worker", 4_900_000, [OUT], id="another-process-in-the-window"),
    ],
)
def test_off_schedule_use_is_a_stranger(hour, lineage, size, why):
    """FX-1, FX-1c-1: less than any export, and still not what that process sends then."""
    e = lived({3, 10, 17, 24, 31}, 37)
    w = Window(replica(1), hour * HOUR, hour * HOUR + 600, (use(BUCKET, bytes_out=size, data={"lineage": lineage}),))
    assert [s.why for s in e.learn(w, accept=-1)] == why


def test_monthly_job_is_not_dormant_between_its_turns():
    e = lived({0, 30, 60}, 89)
    assert e.items[BUCKET].period == 30 and e.items[BUCKET].state != DORMANT
    e.sweep(180)
    assert e.items[BUCKET].state == DORMANT
