"""The road from sensor to classifier, cut, clogged and without room: what is lost is a number, and somebody is told."""

import contextlib
import os
import signal
import threading
import time

from sensor.delivery import Delivery
from tests.classifier.story import learned
from tests.factories import SHOP, head, identity, window
from tests.service.daemon import DEADLINE
from wire.bus import Limits, Sender
from wire.records import Tick

ROUNDS, REPLICAS, INTERVAL = 60, 50, 10.0  # ten minutes of event time


def rounds(sink):
    """What a sensor of fifty replicas sends in ten minutes."""
    uses = [f"egress:tcp:10.0.0.{n}:5432" for n in range(20)]
    sink.send(head())
    for number in range(REPLICAS):
        sink.send(identity(number))
    for n in range(ROUNDS):
        start = n * INTERVAL
        sink.begin_round()
        for number in range(REPLICAS):
            sink.send(window(number, *uses, start=start, length=INTERVAL))
        sink.send(Tick("n1", start + INTERVAL))
        sink.end_round(["e", n])
        sink.pump()


def delivered(sink):
    end = time.monotonic() + DEADLINE
    while not sink.pump(0.1):
        assert time.monotonic() < end, "not delivered"


def test_ten_minutes_without_a_classifier_lose_nothing(daemon, tmp_path, fault):
    """Event time: what a sensor sends in ten minutes goes at once; the carrier knows no time but its wait to connect."""
    d = daemon()
    sink = Delivery(d.socket, tmp_path / "spool", node="n1")
    rounds(sink)
    waiting = sink.waiting
    assert not sink.idle and waiting > 1 << 20
    d.start()
    delivered(sink)
    health = d.get("/health")[1]
    assert health["counters"]["records_window"] == ROUNDS * REPLICAS
    assert health["counters"].get("records_gap", 0) == 0
    envelope = d.get(f"/envelopes/{SHOP}")[1]
    assert {b["count"] for b in envelope["behaviours"]} == {ROUNDS * REPLICAS}
    sink.close()
    assert d.stop() == 0
    fault(
        done=f"{ROUNDS} rounds of {REPLICAS} containers (ten minutes of event time, sent as fast as they go), then it starts",
        lost=f"0 of {ROUNDS * REPLICAS:,} windows",
        told=f"`waiting_bytes` of the tick ({waiting / 1e6:.1f} MB waited)",
    )


@contextlib.contextmanager
def slowed(process):
    """It runs for a sixth of the time."""
    ended = threading.Event()

    def hold():
        while not ended.is_set():
            os.kill(process.pid, signal.SIGSTOP)
            ended.wait(0.1)
            os.kill(process.pid, signal.SIGCONT)
            ended.wait(0.02)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        ended.set()
        holding.join()


def burst(first, count):
    """Windows of one day, many at once."""
    return [window(1, "open:data:" + "x" * 1000, start=first + n / 10_000, length=1 / 10_000) for n in range(count)]


def test_a_slow_classifier_loses_nothing_while_there_is_a_spool(daemon, tmp_path, fault):
    d = daemon().start()
    sender = Sender(d.socket, tmp_path / "spool", node="n1", limits=Limits(memory=200_000))
    with slowed(d.process):
        for record in [head(), identity(), *burst(0.0, 3000)]:
            sender.send(record)
        waiting = sender.waiting
        d.send([], sender)
    assert waiting > 1 << 20 and not sender.dropped
    assert d.get("/health")[1]["counters"]["records_window"] == 3000
    assert d.stop() == 0
    fault(
        done="it runs a sixth of the time, 3,000 windows of 1 KB at once: with a spool, and without one and 200 KB of memory",
        lost="0 of 3,000 windows with a spool",
        told=f"`waiting_bytes` of the tick ({waiting / 1e6:.1f} MB waited)",
    )


def test_a_slow_classifier_and_no_spool_is_a_gap_and_no_envelope_says_converged(daemon, fault):
    d = daemon().start()
    sender = d.send(learned(1, 2))
    assert d.get(f"/envelopes/{SHOP}")[1]["state"] == "converged"
    sender.close()
    sender = d.sender(limits=Limits(memory=200_000))
    with slowed(d.process):
        for record in [*burst(40.0, 3000), Tick("n1", 41.0)]:
            sender.send(record)
        lost = sender.dropped["memory full"]
        d.send([], sender)
    d.until(lambda: d.get("/health")[1]["counters"].get("records_gap", 0) == 1)
    assert lost > 0 and sender.dropped == {"memory full": lost}
    assert d.get("/health")[1]["counters"]["records_window"] == 80 + 3000 - lost
    envelope = d.get(f"/envelopes/{SHOP}")[1]
    assert envelope["state"] == "partial" and "lost before the classifier: " in envelope["because"]
    assert d.stop() == 0
    fault(lost=f"{lost:,} of 3,000 without one", told="gap with its number; the envelope is `partial`")


def test_a_spool_on_a_full_disk_loses_by_number_and_says_so(small_disk, daemon, fault):
    d, tiny = daemon(), small_disk("tiny", 1)
    sender = d.sender(spool=tiny / "spool", limits=Limits(memory=100_000))
    for record in [head(), identity(), *burst(0.0, 4000)]:
        sender.send(record)
    lost = sender.dropped["spool disk"]
    assert lost > 0 and "No space left" in sender.error
    d.start()
    d.send([], sender)
    d.until(lambda: d.get("/health")[1]["counters"].get("records_gap", 0) > 0)
    assert d.get("/health")[1]["counters"]["records_window"] == 4000 - lost
    assert d.stop() == 0
    fault(
        lost=f"{lost:,} of 4,000 windows; identities 0", told="gap with its number; the sender's error: no space left"
    )
