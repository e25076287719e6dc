"""What waits for the classifier when the sensor ends, cleanly or not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sensor.delivery import Delivery
from tests.factories import event, head, window
from wire.receiver import Receiver
from wire.records import Gap, Record, Window


def arrived(address: Path, sink: Delivery) -> list[Record]:
    """Everything that a sink delivers until it is idle."""
    receiver = Receiver(address)
    found: list[Record] = []
    end = time.monotonic() + 60
    while time.monotonic() < end and not sink.idle:
        sink.pump(0.05)
        for delivery in receiver.poll(0.05):
            found += [incoming.record for incoming in delivery.frames]
            receiver.ack(delivery)
    receiver.close()
    return found


@pytest.fixture
def address(tmp_path) -> Path:
    return tmp_path / "classifier.sock"


def overflowing(sink: Delivery) -> None:
    """More than memory holds, so that a part lies in the spool."""
    bulk = {f"k{i}": "x" * 1000 for i in range(20)}
    for n in range(400):
        sink.send(event(1, id=f"n1/e1/{n}", **bulk))
        sink.send(window(1, "exec:/bin/sh<x", start=n * 10.0))
        sink.pump()


def test_everything_arrives_after_a_clean_end_without_a_listener(address, tmp_path):
    first = Delivery(address, tmp_path / "spool")
    overflowing(first)
    first.close()
    assert first.idle
    found = arrived(address, Delivery(address, tmp_path / "spool"))
    assert len(found) == 800 and not [r for r in found if isinstance(r, Gap)]


def test_windows_of_a_killed_sensor_are_not_sent_and_its_events_are_a_gap(address, tmp_path):
    """They will be told again from the kernel's counters; seen twice, they would count twice."""
    overflowing(Delivery(address, tmp_path / "spool"))  # never closed: as after kill -9
    second = Delivery(address, tmp_path / "spool")
    second.send(head())
    found = arrived(address, second)
    gaps = [r for r in found if isinstance(r, Gap)]
    assert not [r for r in found if isinstance(r, Window)]
    assert len(gaps) == 1 and "event" in gaps[0].reason


def test_sink_is_idle_only_when_all_is_acknowledged(address, tmp_path):
    sink = Delivery(address, tmp_path / "spool")
    assert sink.idle
    sink.send(head())
    assert not sink.idle and sink.waiting > 0
    assert [type(r).__name__ for r in arrived(address, sink)] == ["Head"]
    assert sink.idle and sink.waiting == 0
