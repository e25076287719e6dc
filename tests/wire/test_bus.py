"""The carrier: what was sent arrives once and in order, whatever happens to either end; what is lost is a number."""

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import event, head, identity, window
from wire import bus, codec, frames, spool
from wire.bus import Limits, Sender
from wire.frames import ACK, FRAME, HELLO, BusError, Message, Splitter, hello, pack
from wire.loss import Loss
from wire.receiver import Receiver
from wire.records import Gap, Tick

DEADLINE = 60.0  # seconds, for a machine that does other things too
ROOM = Limits(memory=20_000, spool=4 << 20)


class Journal:
    """A receiver's memory of what it kept: in the place of the store."""

    def __init__(self):
        self.kept = []
        self.last = {}

    def known(self, node, epoch):
        return self.last.get((node, epoch), 0)

    def keep(self, delivery):
        for f in delivery.frames:
            assert f.number > self.known(f.node, f.epoch)
            self.last[f.node, f.epoch] = f.number
            self.kept.append(f.record)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.sock"


@pytest.fixture
def journal():
    return Journal()


def drain(receiver, journal, *, rounds=50, wait=0.01):
    quiet = 0
    for _ in range(rounds):
        found = receiver.poll(wait)
        for delivery in found:
            journal.keep(delivery)
            receiver.ack(delivery)
        quiet = 0 if found else quiet + 1
        if quiet == 3:  # one for the connection, one for the greeting
            return


def carry(sender, receiver, journal):
    """Both ends in turn, until nothing waits."""
    end = time.monotonic() + DEADLINE
    while not sender.pump() and time.monotonic() < end:
        drain(receiver, journal, rounds=5, wait=0.005)
    assert sender.idle


def first_delivery(sender, receiver):
    """What the receiver hands on first, not acknowledged."""
    for _ in range(200):
        sender.pump(0.005)
        if found := receiver.poll(0.005):
            return found[0]
    raise AssertionError("nothing came")


def ticks(count, start=0):
    return [Tick("n1", float(n)) for n in range(start, start + count)]


@pytest.mark.parametrize("count", [0, 1, 3000], ids=["nothing", "one", "more-than-a-burst"])
def test_every_record_arrives_once_and_in_order(path, journal, count):
    receiver, sender = Receiver(path), Sender(path)
    for record in ticks(count):
        sender.send(record)
    carry(sender, receiver, journal)
    assert journal.kept == ticks(count)
    assert sender.sent == count and not sender.dropped


def test_frames_wait_while_nobody_listens(path, journal):
    sender = Sender(path)
    for record in ticks(5):
        sender.send(record)
    assert not sender.pump(0.2)
    assert "No such file" in sender.error
    carry(sender, Receiver(path), journal)
    assert journal.kept == ticks(5)


def test_what_memory_cannot_hold_goes_over_the_disk_in_order(path, journal, tmp_path):
    sender = Sender(path, tmp_path / "spool", limits=ROOM)
    for record in ticks(4000):
        sender.send(record)
    assert list((tmp_path / "spool").iterdir())
    carry(sender, Receiver(path), journal)
    assert journal.kept == ticks(4000)
    assert sender.close() is None and not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize("keep", [True, False], ids=["acknowledged", "kept-but-the-acknowledgement-lost"])
def test_a_receiver_that_dies_in_the_middle_gets_the_rest_and_nothing_twice(path, journal, keep):
    sender = Sender(path)
    for record in ticks(5000):
        sender.send(record)
    for _ in range(6):
        receiver = Receiver(path, known=journal.known)
        delivery = first_delivery(sender, receiver)
        journal.keep(delivery)
        if keep:
            receiver.ack(delivery)
        receiver.close()
    assert 0 < len(journal.kept) < 5000
    carry(sender, Receiver(path, known=journal.known), journal)
    assert journal.kept == ticks(5000)


def test_a_closed_sender_leaves_what_waits_to_its_successor_in_order(path, journal, tmp_path):
    first = Sender(path, tmp_path / "spool", limits=ROOM)
    receiver = Receiver(path, known=journal.known)
    for record in ticks(3000):
        first.send(record)
    first_delivery(first, receiver)  # some are on their way, nobody acknowledges
    first.close(0.0)
    second = Sender(path, tmp_path / "spool", limits=ROOM)
    for record in ticks(100, 3000):
        second.send(record)
    carry(second, receiver, journal)
    assert journal.kept == ticks(3100)


def test_a_killed_sender_loses_nothing_of_its_spool(path, journal, tmp_path):
    first = Sender(path, tmp_path / "spool", limits=ROOM)
    for record in ticks(3000):
        first.send(record)
    del first  # no close: memory is gone
    second = Sender(path, tmp_path / "spool", limits=ROOM)
    carry(second, Receiver(path), journal)
    assert journal.kept == ticks(len(journal.kept))
    assert 3000 - len(journal.kept) < ROOM.memory // len(codec.encode(Tick("n1", 1.0)))


def test_a_full_spool_forgets_the_oldest_windows_and_keeps_who_is_who(path, journal, tmp_path, fault):
    sender = Sender(path, tmp_path / "spool", limits=Limits(memory=100_000, spool=0))
    filler = "egress:tcp:" + "x" * 4000
    sender.send(head())
    sender.send(identity())
    for n in range(1500):
        sender.send(window(1, filler, start=float(n), length=1.0))
    lost = sender.dropped["spool full"]
    assert lost > 0
    carry(sender, Receiver(path), journal)
    windows = [r for r in journal.kept if type(r).__name__ == "Window"]
    gaps = [r for r in journal.kept if isinstance(r, Gap)]
    assert journal.kept[:2] == [head(), identity()]
    assert len(windows) + lost == 1500
    assert windows[-1].start == 1499.0
    assert [(g.node, g.start) for g in gaps] == [("n1", 0.0)]
    assert gaps[0].end >= lost and gaps[0].reason == f"lost before the classifier: window {lost}"
    fault(lost=f"{lost:,} windows, the oldest; identities 0", told=f'gap "{gaps[0].reason}"')


def test_without_a_spool_memory_stays_bounded_and_the_loss_is_told(path, journal):
    sender = Sender(path, limits=Limits(memory=50_000))
    sender.send(identity())
    for n in range(5000):
        sender.send(window(1, start=float(n), length=1.0))
        assert sender.waiting <= 50_000
    carry(sender, Receiver(path), journal)
    gap = next(r for r in journal.kept if isinstance(r, Gap))
    assert gap.reason == f"lost before the classifier: window {sender.dropped['memory full']}"
    assert identity() in journal.kept


def test_a_disk_without_room_is_counted_and_not_fatal(path, journal, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    sender = Sender(path, tmp_path / "spool", limits=ROOM)
    monkeypatch.setattr(spool.os, "write", full)
    for record in ticks(2000):
        sender.send(record)
    assert sender.dropped["spool disk"] > 0 and "No space left" in sender.error
    monkeypatch.undo()
    carry(sender, Receiver(path), journal)
    told = [r for r in journal.kept if isinstance(r, Tick)]
    assert len(told) + sender.dropped["spool disk"] == 2000


@pytest.mark.parametrize(
    "harm", [lambda b: b[: len(b) // 2], lambda b: b[:-3] + b"xyz", lambda b: b""], ids=["cut", "changed", "empty"]
)
def test_a_damaged_spool_gives_what_is_whole_and_says_so(path, journal, tmp_path, harm, fault):
    first = Sender(path, tmp_path / "spool", limits=ROOM)
    for record in ticks(1500):
        first.send(record)
    segment = next((tmp_path / "spool").iterdir())
    before = segment.read_bytes()
    segment.write_bytes(harm(before))
    second = Sender(path, tmp_path / "spool", limits=ROOM)
    carry(second, Receiver(path), journal)
    whole = [r for r in journal.kept if isinstance(r, Tick)]
    assert whole == ticks(len(whole))
    assert second.dropped["spool damaged"] == 1
    gaps = [
        r for r in journal.kept if isinstance(r, Gap)
    ]  # damage has no time of its own: it is told where the whole ends
    assert gaps == [Gap("n1", r.time, r.time, "lost before the classifier: damaged 1") for r in whole[-1:]]
    told = 'gap "damaged 1"' if gaps else "the same at the next record"
    fault(lost=f"{1500 - len(whole):,} of 1,500 frames", told=told)


def test_damage_before_anything_whole_is_told_with_the_next_record(path, journal, tmp_path):
    """It was counted and never told, so an envelope could call itself converged in spite of it."""
    first = Sender(path, tmp_path / "spool", limits=ROOM)
    for record in ticks(1500):
        first.send(record)
    for segment in (tmp_path / "spool").iterdir():
        segment.write_bytes(b"\xff" * 1000)
    second = Sender(path, tmp_path / "spool", limits=ROOM)
    receiver = Receiver(path)
    carry(second, receiver, journal)
    assert journal.kept == []
    second.send(Tick("n1", 9.0))
    carry(second, receiver, journal)
    assert journal.kept == [Tick("n1", 9.0), Gap("n1", 9.0, 9.0, "lost before the classifier: damaged 1")]


def test_a_record_beyond_the_limit_is_a_gap_of_its_time(path, journal, monkeypatch):
    monkeypatch.setattr(codec, "LIMIT", 100)
    sender = Sender(path)
    sender.send(window(1, "egress:tcp:" + "x" * 200, start=5.0, length=1.0))
    sender.send(Tick("n1", 9.0))
    carry(sender, Receiver(path), journal)
    assert sender.dropped["too large"] == 1
    assert journal.kept == [Tick("n1", 9.0), Gap("n1", 5.0, 6.0, "lost before the classifier: window 1")]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "unknown type", id="another-protocol"),
        pytest.param(pack(9), "unknown type 9", id="unknown-type"),
        pytest.param(frames.HEAD.pack(codec.LIMIT + 1, FRAME, 1), "the limit is", id="frame-too-large"),
        pytest.param(frames.HEAD.pack(5000, HELLO, 0), "the limit is 4096", id="greeting-too-large"),
        pytest.param(pack(HELLO, 0, b"\xc1"), "damaged greeting", id="damaged-greeting"),
        pytest.param(hello("", "e"), "short texts", id="empty-node"),
        pytest.param(pack(HELLO, 0, b"\x93\x63\xa1n\xa1e"), "please update the classifier", id="newer-protocol"),
        pytest.param(pack(FRAME, 1, codec.encode(Tick("n1", 0.0))), "out of place", id="no-greeting"),
        pytest.param(hello("n1", "e") + pack(FRAME, 1, b"\xc1"), "damaged frame", id="damaged-frame"),
        pytest.param(hello("n1", "e") + pack(ACK, 1), "out of place", id="wrong-direction"),
    ],
)
def test_a_peer_that_makes_no_sense_is_closed_with_a_reason(path, journal, sent, why):
    said = []
    receiver = Receiver(path, log=lambda text, peer: said.append((text, peer.pid)))
    honest = Sender(path)
    carry(honest, receiver, journal)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        peer.sendall(sent)
        drain(receiver, journal)
        peer.settimeout(DEADLINE)
        while peer.recv(4096):
            pass
    assert receiver.refused["damaged"] == 1
    assert why in said[0][0] and said[0][1] == os.getpid()
    honest.send(Tick("n1", 1.0))
    carry(honest, receiver, journal)
    assert journal.kept == [Tick("n1", 1.0)]


def test_frames_before_a_damaged_one_are_kept_and_acknowledged(path, journal):
    receiver = Receiver(path, known=journal.known)
    good = b"".join(pack(FRAME, n, codec.encode(Tick("n1", float(n)))) for n in (1, 2, 3))
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        peer.sendall(hello("n1", "e") + good + pack(FRAME, 4, b"junk"))
        drain(receiver, journal)
        heard = list(Splitter().feed(peer.recv(65536)))
    assert [r.time for r in journal.kept] == [1.0, 2.0, 3.0]
    assert Message(ACK, 3) in heard and heard[-1].type == frames.REFUSE and heard[-1].number == 4


def test_a_frame_that_is_refused_does_not_stop_those_behind_it(path, journal):
    receiver, sender = Receiver(path, known=journal.known), Sender(path)
    sender.send(Tick("n1", 1.0))
    sender.send(Tick("n1", "not a time"))
    sender.send(Tick("n1", 3.0))
    carry(sender, receiver, journal)
    assert [r for r in journal.kept if isinstance(r, Tick)] == [Tick("n1", 1.0), Tick("n1", 3.0)]
    assert sender.dropped == {"refused": 1}


def test_no_acknowledgement_before_the_caller_gave_it(path, journal):
    receiver, sender = Receiver(path), Sender(path)
    for record in ticks(10):
        sender.send(record)
    delivery = first_delivery(sender, receiver)
    assert not sender.pump(0.1) and sender.sent == 0
    receiver.ack(delivery)
    assert sender.pump(DEADLINE) and sender.sent == 10


def test_a_peer_is_read_no_further_while_its_delivery_waits(path, journal):
    receiver, sender = Receiver(path), Sender(path)
    for n in range(20_000):
        sender.send(event(time=float(n), argv="x" * 100))
    delivery = first_delivery(sender, receiver)
    for _ in range(3):
        sender.pump(0.05)
        assert receiver.poll(0.0) == []
    assert len(delivery.peer.held) < 5000


@pytest.mark.parametrize(
    ("uids", "welcome"), [((0, os.getuid()), True), ((4294,), False)], ids=["own-user", "other-users-only"]
)
def test_only_configured_users_may_send(path, journal, uids, welcome):
    receiver, sender = Receiver(path, uids=uids), Sender(path)
    sender.send(Tick("n1", 1.0))
    for _ in range(20):
        sender.pump(0.01)
        drain(receiver, journal)
    assert (journal.kept == [Tick("n1", 1.0)]) is welcome
    assert receiver.refused["not allowed"] == 0 if welcome else receiver.refused["not allowed"] > 0


def test_the_socket_is_for_its_owner_alone_and_the_peers_process_is_known(path, journal):
    receiver, sender = Receiver(path), Sender(path)
    sender.pump()
    drain(receiver, journal)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [(p.pid, p.uid) for p in receiver.peers.values()] == [(os.getpid(), os.getuid())]


def test_a_socket_in_use_is_not_taken_over_and_a_left_one_is(path):
    receiver = Receiver(path)
    with pytest.raises(OSError, match="another process listens"):
        Receiver(path)
    receiver.close()
    Receiver(path).close()


def test_a_second_sender_of_a_node_is_turned_away_until_the_first_has_left(path, journal):
    """Two sensors of one node name took turns, and each turn looked like a start of the kernel side."""
    receiver, (first, second) = Receiver(path, known=journal.known), (Sender(path, node="a") for _ in range(2))
    for sender in (first, second):
        sender.send(Tick("a", 1.0))
        for _ in range(4):
            sender.pump(0.01)
            drain(receiver, journal)
    assert first.idle and not second.idle and "stop one, or set `node`" in second.error
    assert receiver.refused["node name taken"] >= 1 and len(journal.kept) == 1 and len(receiver.peers) == 1
    first.close()
    end = time.monotonic() + DEADLINE
    while not second.idle and time.monotonic() < end:
        second.pump(0.05)
        drain(receiver, journal)
    assert len(journal.kept) == 2 and not second.dropped
    receiver.close()


def test_attempts_to_connect_become_rarer(path, monkeypatch):
    now, tried = 1000.0, []
    monkeypatch.setattr(bus, "time", SimpleNamespace(monotonic=lambda: now, sleep=lambda _: None))
    sender = Sender(path)
    sender.send(Tick("n1", 0.0))
    while now < 1020.0:
        before = sender._next
        sender.pump()
        if sender._next != before:
            tried.append(now)
        now += 0.01
    rests = [b - a for a, b in itertools.pairwise(tried)]
    assert rests == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], abs=0.03)


def test_two_senders_on_one_socket_do_not_mix(path, journal):
    receiver = Receiver(path, known=journal.known)
    senders = [Sender(path, node=n) for n in ("a", "b")]
    for n in range(1000):
        for s in senders:
            s.send(Tick(s._node, float(n)))
    done = threading.Event()

    def receive():
        while not done.is_set():
            drain(receiver, journal)

    worker = threading.Thread(target=receive)
    worker.start()
    try:
        assert all(s.pump(DEADLINE) for s in senders)
    finally:
        done.set()
        worker.join()
    for s in senders:
        assert [r for r in journal.kept if r.node == s._node] == [Tick(s._node, float(n)) for n in range(1000)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=60) | st.builds(pack, st.integers(0, 6), st.integers(0, 9), st.binary(max_size=30))))
def test_no_bytes_break_the_receiver(tmp_path_factory, chunks):
    where = tmp_path_factory.mktemp("bus") / "s"
    receiver, journal = Receiver(where), Journal()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(where))
        try:
            for chunk in [hello("n", "e"), *chunks]:
                peer.sendall(chunk)
        except OSError:  # closed already
            pass
        drain(receiver, journal, wait=0.0)
    drain(receiver, journal, wait=0.0)
    assert all(p.socket.fileno() >= 0 for p in receiver.peers.values())
    receiver.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Message, st.integers(1, 4), st.integers(0, 2**64 - 1), st.binary(max_size=99))), st.data())
def test_messages_survive_any_cut_of_the_stream(messages, data):
    stream = b"".join(pack(m.type, m.number, m.body) for m in messages)
    splitter, found = Splitter(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += splitter.feed(stream[:cut])
        stream = stream[cut:]
    assert found == messages


def test_an_impossible_length_is_refused_after_what_came_before():
    splitter, found = Splitter(), []
    with pytest.raises(BusError):
        for message in splitter.feed(pack(ACK, 1) + frames.HEAD.pack(1 << 30, FRAME, 2)):
            found.append(message)
    assert found == [Message(ACK, 1)]


def test_the_sender_needs_no_heavy_import():
    code = "import sys, wire.bus; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"asyncio", "numpy", "sqlite3", "aiohttp", "structlog"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("records", "gaps"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([None], [], id="unreadable-alone-has-no-span"),
        pytest.param([window(1, start=3.0), window(2, start=1.0)], [("n1", 1.0, 13.0, "window 2")], id="one-node"),
        pytest.param(
            [Tick("b", 2.0), Tick("a", 1.0), None],
            [("a", 1.0, 1.0, "damaged 1, tick 2"), ("b", 2.0, 2.0, "damaged 1, tick 2")],
            id="two-nodes",
        ),
    ],
)
def test_a_loss_is_told_as_one_gap_per_node(records, gaps):
    loss = Loss()
    for record in records:
        loss.add(record)
    assert loss.gaps() == [Gap(n, a, b, f"lost before the classifier: {what}") for n, a, b, what in gaps]
