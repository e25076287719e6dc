"""The wall clock steps and the machine sleeps: what was counted stays counted, once.

Injected where the sensor reads its clocks, since a step of the real one would be everybody's on this machine.
"""

import itertools

import pytest

from classifier.pipeline import Pipeline
from classifier.policy import Policy
from sensor import agent
from sensor.probes import client
from tests.kernel.lab import until
from wire.records import Gap, Identity, Tick, Window, Workload
from wire.syscalls import number

pytestmark = pytest.mark.kernel
GETPPID = number("getppid")
HOUR = 3600 * 10**9  # ns
HALF = 1800.0  # seconds: less than this is no step, however slow the machine
BOTH = pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])


def windows_of(sensor, box):
    return [r for r in sensor.sink.records if isinstance(r, Window) and r.replica.cgroup == box.id]


def load_and_tell(sensor, box):
    """A known load, and the window after it."""
    before = counted(sensor, box)
    box.load("parents", "500")
    until(lambda: counted(sensor, box) == before + 1000, "its calls")


def counted(sensor, box):
    return sum(w.syscalls.get(GETPPID, 0) for w in windows_of(sensor, box))


@BOTH
def test_a_step_of_the_clock_loses_and_repeats_nothing(lab, monkeypatch, step, fault):
    real = client.time.clock_gettime_ns
    shift = [0]

    def stepped(clock):
        return real(clock) + (shift[0] if clock == client.time.CLOCK_REALTIME else 0)

    monkeypatch.setattr(client.time, "clock_gettime_ns", stepped)
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        load_and_tell(sensor, box)
        shift[0] = step
        load_and_tell(sensor, box)
        windows = windows_of(sensor, box)
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    assert windows[-1].end - windows[0].start < HALF
    fault(
        done="an hour forward and back, injected where the sensor reads the clock: while it runs, and between two starts; "
        "that is no proof of what others do with the clock, such as who signs deploy events",
        lost="0 of 4,000 calls while it runs: it goes by CLOCK_BOOTTIME",
        told="`lag` of the classifier: by how much event time is off",
    )


def test_event_time_that_is_off_shows_in_the_lag(daemon):
    d = daemon().start()
    now = client.time.clock_gettime_ns(client.time.CLOCK_REALTIME) / 1e9
    for off in (-3600.0, 3600.0):
        d.send([Tick("n1", now + off)])
        assert abs(d.get("/health")[1]["lag"] + off) < HALF
    assert d.stop() == 0


@BOTH
def test_a_step_between_two_starts_of_the_sensor_counts_everything_once(lab, monkeypatch, step, fault, caplog):
    with lab.sensor(keep_pinned=True) as sensor:
        box = sensor.cgroup()
        load_and_tell(sensor, box)
    records = sensor.sink.records
    before = client._offset
    monkeypatch.setattr(client, "_offset", lambda: before() + step)
    box.load("parents", "500")
    with lab.sensor() as sensor:
        box.load("parents", "500")
        until(lambda: counted(sensor, box) == 2000, "its calls")
        told = windows_of(sensor, box)
    records += sensor.sink.records
    assert abs(told[-1].end - records[0].time - step / 1e9) < HALF
    assert "the clock was set" in caplog.text
    pipeline = Pipeline(Policy())
    for record in records:
        pipeline.feed(_named(record))
    assert pipeline.counters["records_window"] == sum(isinstance(r, Window) for r in records)
    assert not [r for r in records if isinstance(r, Gap)]
    fault(
        lost="0 of 6,000 over two starts; event time is an hour later or earlier from then on",
        told='the log of the sensor: "the clock was set", by how much',
    )


def test_an_hour_of_sleep_is_one_long_window_and_no_loss(lab, monkeypatch, fault):
    real, slept = agent._boottime, [0]
    monkeypatch.setattr(agent, "_boottime", lambda: real() + slept[0])
    with lab.sensor() as sensor:
        box = sensor.cgroup()
        load_and_tell(sensor, box)
        slept[0] = HOUR
        load_and_tell(sensor, box)
        windows = windows_of(sensor, box)
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    [long] = [w for w in windows if w.end - w.start > 3600]
    assert sum(w.syscalls.get(GETPPID, 0) for w in windows) == 2000
    assert not any(w.loss for w in windows)
    fault(
        done="the sensor's CLOCK_BOOTTIME goes on by an hour between two loads; injected, so the kernel's own clock and timers "
        "do not sleep with it",
        lost="0 of 2,000 calls; no window says which minutes of the hour were sleep",
        told=f"one window of {long.end - long.start:,.0f} s",
    )


def _named(record):
    """Identities as a rule of the settings would name them."""
    if isinstance(record, Identity):
        return Identity(record.time, record.replica, record.path, Workload("unit:lab"), "r1", "rule")
    return record
