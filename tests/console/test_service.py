"""What a daemon tells systemd."""

import socket

import pytest

from console.cli.service import Beat, Beating
from console.supervise import notify


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A socket where systemd would listen."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield s


def test_readiness_reaches_systemd(systemd):
    notify("READY=1")
    assert systemd.recv(99) == b"READY=1"


def test_nobody_listening_is_no_failure(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


def test_the_watchdog_beats_twice_per_period_and_not_more(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    now = iter([0.0, 1.0, 4.9, 5.0, 9.0])
    beat = Beat(clock=lambda: next(now))
    for _ in range(5):
        beat()
    systemd.setblocking(False)
    beats = 0
    while True:
        try:
            systemd.recv(99)
        except BlockingIOError:
            break
        beats += 1
    assert beats == 2


def test_without_a_watchdog_nothing_beats(systemd, monkeypatch):
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    Beat()()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(99)


def test_a_beating_sink_hands_everything_on():
    class Sink:
        def __init__(self):
            self.calls = []

        def send(self, record):
            self.calls.append(record)

        def pump(self, timeout=0.0):
            self.calls.append(timeout)

        def close(self):
            self.calls.append("closed")

    sink, beats = Sink(), []
    beating = Beating(sink, lambda: beats.append(1))
    beating.send("record")
    beating.pump(0.5)
    beating.close()
    assert (sink.calls, beats) == (["record", 0.5, "closed"], [1])
